/**
 * Who is in which room, on all nodes. One interface; the memory sibling serves one process. Every implementation passes
 * test/conformance/presence.ts unchanged. docs/decisions/presence.md.
 */

/** Members that a room shows; who comes on top is a member as any other, and is shown to nobody. */
export const MAX_MEMBERS = 10_000
/** Bytes that the members of a room take in JOINED, at most; where a namespace's `maxBuffered` is less than twice that, half of it. */
export const LIST_BYTES = 524_288
/** Bytes of a member beside user and state. */
export const MEMBER_BYTES = 16
/** Users that one change is about, at most. */
export const MAX_CHANGES = 500

/** One node in one life: what it wrote under a generation that it gave up counts no more. */
export interface Place {
  readonly node: string
  readonly generation: number
}

/** What a node says of a user in a room. */
export interface Write {
  readonly user: string
  /** The user's connections in the room at this place; 0 is the end of them. */
  readonly connections: number
  /** JSON text of at most `STATE_BYTES`; absent leaves it as it is. */
  readonly state?: string | undefined
  /** The state counts only where the user has none. */
  readonly restores?: boolean | undefined
}

/** What became of a change. */
export interface Outcome {
  /** Set where nothing was done: the place was given up, and the node has to write under this generation or a later one. */
  readonly lowest: number | undefined
  /** Users for whom the room had no space, so that they are not shown, or not with their new state. */
  readonly full: readonly string[]
}

/** One user after a change at one place. */
export interface Change {
  readonly user: string
  /** At that place. */
  readonly connections: number
  /** Whichever place it was set at; undefined before the first, and where the user is gone. */
  readonly state: string | undefined
}

/** What changed in a room, in the order in which the store did it. */
export interface Update {
  /** Names one life of what is kept of the room. */
  readonly epoch: string
  /** Rises by one with each update. */
  readonly version: number
  /** See `placeName`. */
  readonly place: string
  readonly changes: readonly Change[]
}

/** A user in a room. */
export interface Entry {
  readonly user: string
  readonly state: string | undefined
  /** Connections by `placeName`. */
  readonly places: ReadonlyMap<string, number>
}

/** A room at one moment. The epoch is empty where nothing is kept; its first update then has the version 1. */
export interface Snapshot {
  readonly epoch: string
  readonly version: number
  readonly entries: readonly Entry[]
}

/** Bounds of a room: the same on every node. */
export interface Bounds {
  readonly members: number
  /** Of all members, each with `MEMBER_BYTES`; bytes of JSON text in UTF-8. */
  readonly bytes: number
}

/**
 * Rooms are named as the broker names them. Every method may reject where the store's server is away; whether a change was made is not
 * known then, and making it again does no harm.
 */
export interface PresenceStore {
  /** Hands on every update of a room from now on. Resolves with what ends it. `follower` must not throw. */
  follow(room: string, follower: (update: Update) => void): Promise<() => void>
  read(room: string): Promise<Snapshot>
  /** Whether a room is still where a snapshot or update said; keeps it from being forgotten, as does each change. */
  isCurrent(room: string, epoch: string, version: number): Promise<boolean>
  /**
   * Writes what a node says of at most `MAX_CHANGES` users. What is so already is no update. A user is there from the first connection at
   * any place to the end of the last, and keeps the newest state that long.
   */
  change(room: string, place: Place, writes: readonly Write[], bounds: Bounds): Promise<Outcome>
  /** A node has nothing in a room any more; it writes no more there before this was called. */
  leave(room: string, place: Place): void
  /** Gives up places of a node, in every room: from then on nothing is written there, and what stood there is gone. */
  sweep(node: string, isDead: (generation: number) => boolean): Promise<void>
}

/** A place as one text without a space. */
export const placeName = ({ node, generation }: Place): string => `${node}.${generation}`

/** The node of a `placeName`. */
export const nodeOf = (place: string): string => place.slice(0, place.lastIndexOf('.'))
