/** The presence of one room on this node: follows the store, and says there what is so here. docs/decisions/presence.md. */
import type { Timer } from '../../contract/clock.js'
import type { Connection, Flushable, Mount } from '../gateway/index.js'
import { Following } from './following.js'
import { Moving } from './moving.js'
import {
  type Bounds,
  type Change,
  type Place,
  type PresenceStore,
  placeName,
  type Snapshot,
  type Update,
} from './store.js'
import type { Telling } from './telling.js'
import { View } from './view.js'
import { Writes } from './writes.js'

/** Milliseconds between two changes of a room that this node writes, at least. */
const WRITE_MS = 100
/** Milliseconds after which what failed is tried again, at first and at most: it doubles. */
const RETRY_MS = { first: 250, most: 8000 }

/** What a room works with. */
export interface RoomHost {
  readonly mount: Mount
  readonly store: PresenceStore
  readonly bounds: Bounds
  readonly place: Place
  /** Whether there are other nodes, which a client that leaves may have gone to. */
  readonly hasOthers: boolean
  /** This node's place was given up: it needs a generation of at least this. */
  raise(lowest: number): void
  /** Nobody of this node is in the room any more, and the store knows. */
  over(room: PresenceRoom): void
}

interface Here {
  readonly user: string
  /** The version of the view that its JOINED showed. */
  readonly seen: number
}

/** A room with members here, with somebody on the way in, or with something still to say of those who left. */
export class PresenceRoom implements Flushable {
  /** As the broker names it. */
  readonly name: string
  readonly view: View
  readonly members = new Map<Connection, Here>()
  readonly #host: RoomHost
  readonly #telling: (room: PresenceRoom) => Telling
  readonly #following: Following
  readonly #writes = new Writes()
  readonly #moving: Moving
  #told: Telling | undefined
  #entering = 0
  #loading: Promise<void> | undefined
  #isLoaded = false
  // The last read failed: what comes next is another.
  #isBehind = false
  #isStopped = false
  #scheduled = false
  #writing: Promise<void> | undefined
  #wroteAt = Number.NEGATIVE_INFINITY
  #timer: Timer | undefined
  #failures = 0

  constructor(name: string, host: RoomHost, telling: (room: PresenceRoom) => Telling) {
    this.name = name
    this.#host = host
    this.view = new View(host.place.node)
    this.#telling = telling
    this.#moving = new Moving(host.mount.clock, (user) => this.#ended(user))
    this.#following = new Following(host.store, name, {
      replace: (snapshot) => this.#replace(snapshot),
      update: (update) => this.#update(update),
      missed: () => void this.sync(),
    })
  }

  /** It shows what the store has, or had when it was last there. */
  get isLoaded(): boolean {
    return this.#isLoaded
  }

  /** Nobody of this node is there or comes. */
  get isEmpty(): boolean {
    return this.members.size === 0 && this.#entering === 0
  }

  /** Somebody comes; `entered` or `cancelled` follows. Resolves when the room was read, or that failed. Rejects never. */
  enter(): Promise<void> {
    this.#entering++
    // Together: each would have it read once more.
    this.#loading ??= this.sync()
    return this.#loading
  }

  cancelled(): void {
    this.#entering--
    this.#settle()
  }

  /** A connection is a member now; returns the list for its JOINED. */
  entered(connection: Connection, user: string, state: string | undefined): string {
    this.#entering--
    const isNew = !this.members.has(connection)
    if (isNew) {
      this.view.setOwn(user, (this.view.own.get(user) ?? 0) + 1)
      this.#writes.add(user)
    }
    if (state !== undefined) this.#writes.setState(user, state)
    this.members.set(connection, { user, seen: this.view.version })
    this.#changed()
    return this.view.list
  }

  /** A connection is no member any more. Where it has ended because it was told to go elsewhere, its user stays for a moment. */
  left(connection: Connection): void {
    const here = this.members.get(connection)
    if (here === undefined) return
    this.members.delete(connection)
    const { user } = here
    const hasMoved = connection.isMoving && connection.phase === 'closed' && this.#host.hasOthers
    if (hasMoved && !this.view.isElsewhere(user)) this.#moving.add(user)
    else this.#ended(user)
  }

  // One connection of a user fewer.
  #ended(user: string): void {
    const connections = (this.view.own.get(user) ?? 1) - 1
    this.view.setOwn(user, connections)
    if (connections === 0) this.#writes.end(user)
    else this.#writes.add(user)
    this.#changed()
  }

  /** A member shows a state, JSON text. */
  setState(connection: Connection, state: string): void {
    const here = this.members.get(connection)
    if (here === undefined) return
    this.#writes.setState(here.user, state)
    this.#changed()
  }

  #changed(): void {
    this.#told ??= this.#telling(this)
    this.#told.schedule()
    this.#schedule()
  }

  // Writes at the end of the turn, or when that is due again.
  #schedule(): void {
    if (this.#scheduled || this.#timer !== undefined || this.#isStopped || !this.#writes.isDue) return
    const { clock, gateway } = this.#host.mount
    const wait = this.#wroteAt + WRITE_MS - clock.now()
    if (wait > 0) {
      this.#timer = clock.setTimeout(this.#onTimer, wait)
    } else {
      this.#scheduled = true
      gateway.turn.addRoom(this)
    }
  }

  readonly #onTimer = (): void => {
    this.#timer = undefined
    if (this.#failures > 0 || this.#isBehind) void this.sync()
    else this.flush()
  }

  /** The turn is over, or it is time. */
  flush(): void {
    this.#scheduled = false
    if (this.#writes.isDue) this.#writing = this.#write()
  }

  async #write(): Promise<void> {
    const { mount, store, place, bounds } = this.#host
    this.#wroteAt = mount.clock.now()
    const writes = this.#writes.take((user) => this.view.own.get(user) ?? 0)
    try {
      const { lowest, full } = await store.change(this.name, place, writes, bounds)
      if (lowest === undefined) {
        this.#writes.done()
        this.#failures = 0
      } else {
        this.#writes.failed()
        this.#host.raise(lowest)
      }
      this.view.setUnshown(full)
      this.#told?.schedule()
      this.#schedule()
      this.#settle()
    } catch (error) {
      this.#writes.failed()
      this.#failed(error)
    }
  }

  /** Says what is still to be said, unless that fails: at once where nobody is on the way to another node. Rejects never. */
  async finish(): Promise<void> {
    await this.#moving.over()
    await this.#writing
    while (this.#writes.isDue && !this.#isStopped && this.#failures === 0) {
      this.flush()
      await this.#writing
    }
  }

  // The room is read again when the store may be there again.
  #failed(error: unknown): void {
    const { clock, gateway, log } = this.#host.mount
    if (this.#failures === 0)
      log.debug({ err: error, room: this.name }, 'ackord: presence could not be written')
    const wait = Math.min(RETRY_MS.first * 2 ** this.#failures, RETRY_MS.most)
    this.#failures++
    if (this.#isStopped) return
    if (this.#timer !== undefined) clock.clearTimeout(this.#timer)
    const random = gateway.options.random ?? Math.random
    this.#timer = clock.setTimeout(this.#onTimer, wait * (0.5 + random() / 2))
  }

  /** Reads the room from the store and says there what is missing. Resolves when that was done or failed. Rejects never. */
  async sync(): Promise<void> {
    try {
      await this.#following.read()
      this.#isBehind = false
      if (!this.#writes.isDue) this.#failures = 0
    } catch (error) {
      this.#isBehind = true
      this.#failed(error)
    }
    this.#isLoaded = true
    this.#schedule()
    this.#settle()
  }

  /** Looks whether the store is still where this room is, and reads again where it is not. Rejects never. */
  async check(): Promise<void> {
    try {
      if (this.#isLoaded && !(await this.#following.isCurrent())) await this.sync()
    } catch (error) {
      this.#failed(error)
    }
  }

  // The store's word for it, and what is missing there.
  #replace({ entries }: Snapshot): void {
    const before = new Map([...this.view.own.keys()].map((user) => [user, this.view.known(user)?.state]))
    this.view.replace(entries)
    const here = placeName(this.#host.place)
    for (const [user, connections] of this.view.own) {
      const known = this.view.known(user)
      if (known?.places.get(here) !== connections && !this.#writes.has(user)) this.#writes.add(user)
      const state = before.get(user)
      if (known?.state === undefined && state !== undefined) this.#writes.setState(user, state, true)
    }
    for (const { user, places } of entries)
      if (places.has(here) && !this.view.own.has(user) && !this.#writes.has(user)) this.#writes.end(user)
    this.#moving.look(this.view.isElsewhere)
    this.#told?.schedule()
  }

  #update({ place, changes }: Update): void {
    const lost = place === placeName(this.#host.place) ? this.#lostBy(changes) : []
    this.view.update(place, changes)
    for (const { user, state } of lost) {
      this.#writes.add(user)
      if (state !== undefined) this.#writes.setState(user, state, true)
    }
    this.#moving.look(this.view.isElsewhere)
    this.#told?.schedule()
    this.#schedule()
  }

  // What the store says of this place and is not so: others gave it up, or a write came late, after newer ones.
  #lostBy(changes: readonly Change[]): ReadonlyArray<{ user: string; state: string | undefined }> {
    const said = new Map(changes.map(({ user, connections }) => [user, connections]))
    return [...said].flatMap(([user, connections]) =>
      connections === (this.view.own.get(user) ?? 0) || this.#writes.has(user)
        ? []
        : [{ user, state: this.view.known(user)?.state }],
    )
  }

  // Once nothing is left to say, the room may go.
  #settle(): void {
    if (this.#isStopped || !this.isEmpty || !this.#moving.isEmpty) return
    if (this.#following.isReading || !this.#writes.isEmpty) return
    this.#host.over(this)
  }

  /** Forgets it: nothing is written or told any more. */
  stop(): void {
    this.#isStopped = true
    this.#told?.stop()
    this.#following.stop()
    this.#moving.stop()
    if (this.#timer !== undefined) this.#host.mount.clock.clearTimeout(this.#timer)
    this.#timer = undefined
  }
}
