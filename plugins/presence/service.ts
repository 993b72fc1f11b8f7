/** The presence of one namespace on this node. */
import type { Timer } from '../../contract/clock.js'
import { CLOSE, type FrameOf, Violation } from '../../contract/wire/index.js'
import { ClusterError } from '../cluster/index.js'
import type { Connection, EnterInfo, Entering, JoinInfo, Mount, Request } from '../gateway/index.js'
import { RedisUnavailable } from '../redis/index.js'
import { Join, roomsOf } from '../rooms/index.js'
import type { Places } from './places.js'
import { PresenceRoom, type RoomHost } from './room.js'
import type { States } from './states.js'
import { type Bounds, LIST_BYTES, MAX_MEMBERS, type PresenceStore } from './store.js'
import { Telling } from './telling.js'

/** Milliseconds within which every room is compared with the store. */
const CHECK_MS = 60_000
/** Of these, between two looks at what is due. */
const CHECK_STEPS = 60
/** Rooms that are read again at a time. */
const AT_A_TIME = 32
/** Rooms that nobody of this node is in, and the store has still to learn it; beyond, they are dropped, and the node takes a new place. */
const MAX_LINGERING = 10_000
/** What JOINED takes beside the list. */
const OWN_BYTES = 1024

/** A member of a room, for the server. */
export interface PresentMember<S = unknown> {
  readonly user: string
  /** Undefined until the user has set one. */
  readonly state: S | undefined
  /** The user's connections in the room, on all nodes. */
  readonly connections: number
}

/** Who is in the rooms of one namespace. */
export class Presences {
  readonly #mount: Mount
  readonly #store: PresenceStore
  readonly #places: Places
  readonly #states: ReadonlyMap<string, States>
  readonly #bounds: Bounds
  readonly #rooms = new Map<string, PresenceRoom>()
  // Those that nobody of this node is in: for a moment, or as long as the store is away.
  readonly #empty = new Set<string>()
  // What was sent behind a JOIN that is not answered yet.
  readonly #early = new WeakMap<Request, string>()
  #checkTimer: Timer | undefined
  #checked = 0
  #isClosed = false

  constructor(mount: Mount, store: PresenceStore, places: Places, states: ReadonlyMap<string, States>) {
    this.#mount = mount
    this.#store = store
    this.#places = places
    this.#states = states
    const bytes = Math.min(LIST_BYTES, mount.settings.maxBuffered / 2)
    this.#bounds = { members: MAX_MEMBERS, bytes }
  }

  /** Rooms that are followed. */
  get size(): number {
    return this.#rooms.size
  }

  /** Handles PRESENCE: of a JOIN under way, or of a membership. Of anything else it is ignored. */
  readonly onPresence = (connection: Connection, [, seq, state]: FrameOf<'PRESENCE'>): void => {
    if (this.#states.size === 0 && connection.isSameContract) throw new Violation(CLOSE.UNEXPECTED_FRAME)
    const waiting = connection.requests.get(seq)
    if (waiting instanceof Join) {
      const text = this.#take(connection, waiting.room, state)
      if (text !== undefined) this.#early.set(waiting, text)
      return
    }
    for (const [room, member] of connection.slots.rooms ?? []) {
      if (member.seq !== seq) continue
      const text = this.#take(connection, room.definition.name, state)
      if (text !== undefined) this.#rooms.get(room.key)?.setState(connection, text)
    }
  }

  // What breaks the contract closes; but a client of another contract may mean what this one does not know, and that is ignored.
  #take(connection: Connection, room: string, state: unknown): string | undefined {
    const states = this.#states.get(room)
    const value = states?.valid(state, connection.codec.binary)
    if (states !== undefined && value !== undefined) return states.textOf(value)
    if (connection.isSameContract)
      throw new Violation(states === undefined ? CLOSE.UNEXPECTED_FRAME : CLOSE.MALFORMED)
    return undefined
  }

  /** See the hook. */
  readonly onEnter = async ({ connection, room, key, request }: EnterInfo): Promise<Entering | undefined> => {
    const states = this.#states.get(room)
    if (states === undefined || this.#isClosed) return undefined
    const presence = this.#hold(key, states)
    this.#empty.delete(key)
    await presence.enter()
    return {
      // The joiner's own entry, which the list does not have yet.
      get bytes() {
        return presence.view.bytes + OWN_BYTES
      },
      pack: states.packJoined,
      entered: () => presence.entered(connection, connection.user.id, request && this.#early.get(request)),
      cancelled: () => {
        // A member already: JOINED was answered all the same.
        const seq = roomsOf(this.#mount).rooms.find(key)?.members.get(connection)?.seq
        const early = request instanceof Join && request.seq === seq ? this.#early.get(request) : undefined
        if (early !== undefined) presence.setState(connection, early)
        presence.cancelled()
        this.#linger(key, presence)
      },
    }
  }

  /** See the hook. */
  readonly onLeave = ({ connection, key }: JoinInfo): void => {
    const presence = this.#rooms.get(key)
    presence?.left(connection)
    if (presence !== undefined) this.#linger(key, presence)
  }

  /**
   * Who is in a room, on all nodes. Rejects with a ClusterError, UNAVAILABLE, where nobody of this node is there and Redis is away.
   */
  async members(room: string, key: string): Promise<readonly PresentMember[]> {
    const states = this.#states.get(room)
    if (states === undefined) return []
    const read = (text: string | undefined): unknown =>
      text === undefined ? undefined : states.valueOf(text)
    const followed = this.#rooms.get(key)
    if (followed?.isLoaded) {
      return [...followed.view.members].map(([user, { state, connections }]) => ({
        user,
        state: read(state),
        connections,
      }))
    }
    const { entries } = await this.#store.read(this.#nameOf(key)).catch(refuse)
    return entries.map(({ user, state, places }) => ({
      user,
      state: read(state),
      connections: [...places.values()].reduce((sum, count) => sum + count, 0),
    }))
  }

  #nameOf(key: string): string {
    return `${this.#mount.path} ${key}`
  }

  #hold(key: string, states: States): PresenceRoom {
    let room = this.#rooms.get(key)
    if (room === undefined) {
      const places = this.#places
      const host: RoomHost = {
        mount: this.#mount,
        store: this.#store,
        bounds: this.#bounds,
        get place() {
          return places.own
        },
        get hasOthers() {
          return places.hasOthers
        },
        raise: (lowest) => places.raise(lowest),
        over: (ended) => this.#over(key, ended),
      }
      const telling = ({ view, members }: PresenceRoom): Telling =>
        new Telling(this.#mount, key, view, members, states.packPresence, (message) =>
          roomsOf(this.#mount).rooms.find(key)?.tell(message),
        )
      room = new PresenceRoom(this.#nameOf(key), host, telling)
      this.#rooms.set(key, room)
    }
    return room
  }

  #over(key: string, room: PresenceRoom): void {
    if (this.#rooms.get(key) !== room) return
    this.#rooms.delete(key)
    this.#empty.delete(key)
    room.stop()
    this.#store.leave(room.name, this.#places.own)
  }

  // Nobody of this node may be in the room any more, which the store has still to learn.
  #linger(key: string, room: PresenceRoom): void {
    if (!room.isEmpty || this.#rooms.get(key) !== room) return
    this.#empty.add(key)
    if (this.#empty.size <= MAX_LINGERING) return
    for (const each of this.#empty) {
      this.#rooms.get(each)?.stop()
      this.#rooms.delete(each)
    }
    this.#empty.clear()
    // What they left under this place goes with it.
    this.#places.raise(this.#places.own.generation + 1)
  }

  /** Reads every room again: messages may have been missed, or this node has another place. Resolves when that was done, or failed. */
  async sync(): Promise<void> {
    await this.#each((room) => room.sync())
  }

  async #each(work: (room: PresenceRoom) => Promise<void>): Promise<void> {
    const rooms = [...this.#rooms.values()].values()
    const oneByOne = async (): Promise<void> => {
      for (const room of rooms) await work(room)
    }
    await Promise.all(Array.from({ length: AT_A_TIME }, oneByOne))
  }

  /** Compares each room with the store once in `CHECK_MS`, from now on. */
  startChecks(): void {
    const { clock } = this.#mount
    const check = (): void => {
      const rooms = [...this.#rooms.values()]
      const due = Math.ceil(rooms.length / CHECK_STEPS)
      for (let i = 0; i < due; i++) void rooms[(this.#checked + i) % rooms.length]?.check()
      this.#checked += due
      if (!this.#isClosed) this.#checkTimer = clock.setTimeout(check, CHECK_MS / CHECK_STEPS)
    }
    this.#checkTimer = clock.setTimeout(check, CHECK_MS / CHECK_STEPS)
  }

  /** Says what is still to be said, and ends. */
  async close(): Promise<void> {
    this.#isClosed = true
    if (this.#checkTimer !== undefined) this.#mount.clock.clearTimeout(this.#checkTimer)
    await this.#each((room) => room.finish())
    for (const room of this.#rooms.values()) room.stop()
    this.#rooms.clear()
  }
}

const AWAY =
  'who is in the room could not be read from Redis, and nobody of this node is in it; try again: it is connected to again by itself'

function refuse(error: unknown): never {
  throw error instanceof RedisUnavailable ? new ClusterError('UNAVAILABLE', AWAY, { cause: error }) : error
}
