/**
 * What carries publications between the nodes of a cluster, and keeps the logs of rooms. One interface; the memory broker
 * serves one process. Every implementation passes test/conformance/broker.ts unchanged.
 */
import type { EventDelivery } from '../../contract/contract.js'
import type { GapReason } from '../../contract/wire/index.js'

/** A place in a room's log. PROTOCOL.md § Positions. */
export interface Position {
  /** Names one life of the log; another epoch is another log. */
  readonly epoch: string
  /** Rises by one from 1; 0 is the place before the first publication. */
  readonly offset: number
  /** 48 bits that depend on every publication up to this one: equal tags at one offset mean equal logs so far. */
  readonly tag: number
}

/** How much of a room's recoverable publications is kept; whichever bound is reached first trims the oldest. */
export interface History {
  /** At most this many publications. */
  readonly messages: number
  /** None older than this, in seconds. */
  readonly seconds: number
  /** At most this many bytes of payload (UTF-8); a larger payload is refused with `TOO_LARGE`. */
  readonly bytes: number
}

/** What a broker must know of a room: from the contract, the same for every call about that room. */
export interface RoomLog {
  /** Absent where the room's contract has no history: then it has neither positions nor recoverable events. */
  readonly history: History | undefined
  /** How many replicas must have a publication before it counts as kept. Absent: none. A broker of one process has none and ignores it. */
  readonly replicas?: number | undefined
}

/** What is published into a room. */
export interface Outgoing {
  readonly event: string
  /** `volatile`: handed on, never stored. `latest`: the newest per event and key is kept. `recoverable`: goes into the log. */
  readonly delivery: EventDelivery
  /** JSON text. */
  readonly payload: string
  /** With `latest`: what the newest value is kept for; absent is one key of its own. */
  readonly latestKey?: string | undefined
  /** The session that must not get it, live or replayed. */
  readonly except?: string | undefined
  /**
   * Publish id: within `PUBLISH_ID_SECONDS` the same id in the same room is not published again and answers the first
   * position. Absent: every publish is a new one. Volatile publications ignore it.
   */
  readonly id?: string | undefined
}

/** What a subscriber gets. */
export interface Publication extends Omit<Outgoing, 'id'> {
  /** Where it stands in the log; `undefined` unless recoverable. */
  readonly position: Position | undefined
  /**
   * Its PUBLICATION as a text frame with the WebSocket header, as the node that published made it: written as it is. Then `payload` may be
   * read out of it when first asked for. The bytes are shared and must not change.
   */
  readonly frame?: Buffer | undefined
}

/** What a reader asks for. */
export interface ReadFrom {
  /** What came after this position. */
  readonly since?: Position | undefined
  /** Without `since`, or where `since` met a gap: at most this many of the newest. */
  readonly last?: number | undefined
  /** The reader's session: publications excepted for it are left out, and do not count. */
  readonly session: string
}

/** A room at one moment. */
export interface Snapshot {
  /** The head of the log, to which `publications` lead; `undefined` without history. */
  readonly position: Position | undefined
  /** In order of offset; contiguous but for excepted ones. At most `RECOVERY_MESSAGES` and `RECOVERY_BYTES`. */
  readonly publications: readonly Publication[]
  /** The current `latest` values, the longest unchanged first. */
  readonly latest: readonly Publication[]
  /** Set when `since` could not be continued. Without `since` there is no gap. */
  readonly gap: GapReason | undefined
}

/** Takes a room's publications as they come. Must not throw; what it throws is reported and harms nobody else. */
export interface Subscriber {
  /**
   * Offsets rise by one, from the head of any snapshot that was read after subscribing: what is delivered is never behind a hole. Only
   * `restart` comes between two that do not follow each other.
   */
  deliver(publications: readonly Publication[]): void
  /**
   * The log could not be continued from what was delivered, for the reason `gap`: what follows continues from `position` (undefined: the
   * room has no history). Snapshots read before are void. The current `latest` values follow by `deliver`.
   */
  restart(position: Position | undefined, gap: GapReason): void
}

/**
 * Rooms are named by the namespace's path, a space and the key that clients know; the names are the same on every node. Every method may
 * reject with a BrokerError: `CLOSED` after `close`, `UNAVAILABLE` where the broker is full or its server away; then nothing was kept, or
 * a retry under the same id finds it.
 */
export interface Broker {
  /**
   * Delivers the room's publications from now on, this node's own too. Subscribe first, then read: what is delivered from then on either
   * follows the snapshot or, at an offset up to its position, is in it.
   * Resolves with what ends the subscription: nothing is delivered from that call on. Safe to repeat.
   */
  subscribe(room: string, log: RoomLog, subscriber: Subscriber): Promise<() => void>
  /**
   * Resolves when kept (`recoverable`, `latest`) or handed on (`volatile`), with the position of a recoverable publication. Of one
   * broker's publications in a room, those called first come first.
   * Rejects with `TOO_LARGE` where the room could not keep it, and `NO_HISTORY` for a recoverable publication in a room without a log.
   */
  publish(room: string, log: RoomLog, outgoing: Outgoing): Promise<Position | undefined>
  /** What a joiner needs: the publications missed, the current values and where the log stands. */
  read(room: string, log: RoomLog, from: ReadFrom): Promise<Snapshot>
  /** Ends every subscription and frees everything. Safe to repeat. */
  close(): Promise<void>
}

/** How long a publish id is known, at least, in seconds; see `PUBLISH_IDS` for the bound. */
export const PUBLISH_ID_SECONDS = 120
/** Publish ids that a room remembers, at least: beyond, the oldest are forgotten before their time. */
export const PUBLISH_IDS = 100_000
/** One recovery replays at most this many publications; a `since` that asks for more is a gap, `tooMany`. */
export const RECOVERY_MESSAGES = 1_000
/** One recovery replays at most this many bytes of payload; likewise. */
export const RECOVERY_BYTES = 1_048_576
/** `latest` values a room keeps; at the bound the longest unchanged is dropped. */
export const LATEST_KEYS = 10_000
/**
 * Bytes of payload, event and key names that the `latest` values of a room may take; likewise. A larger one is `TOO_LARGE`. Half of what
 * a connection may hold back by default, so that a joiner can be given all of them.
 */
export const LATEST_BYTES = 524_288

/** Why a broker refused: see `Broker`. */
export type BrokerErrorCode = 'TOO_LARGE' | 'NO_HISTORY' | 'UNAVAILABLE' | 'CLOSED'

/** A broker could not do it. */
export class BrokerError extends Error {
  readonly code: BrokerErrorCode
  /** Whether the same call may succeed when repeated. */
  readonly retry: boolean
  constructor(code: BrokerErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'BrokerError'
    this.code = code
    this.retry = code === 'UNAVAILABLE'
  }
}

export type { GapReason }
