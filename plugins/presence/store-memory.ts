/** Presence in one process. */
import { randomUUID } from 'node:crypto'
import {
  type Bounds,
  type Change,
  MEMBER_BYTES,
  type Outcome,
  type Place,
  type PresenceStore,
  placeName,
  type Snapshot,
  type Update,
  type Write,
} from './store.js'

interface MemoryEntry {
  state: string | undefined
  readonly places: Map<string, number>
}

/** See `PresenceStore`. Everything is done by the time a method returns. */
export class MemoryPresence implements PresenceStore {
  readonly #rooms = new Map<string, MemoryRoom>()

  async follow(name: string, follower: (update: Update) => void): Promise<() => void> {
    const room = this.#room(name)
    // Of its own, so that one function may follow twice.
    const own = (update: Update): void => follower(update)
    room.followers.add(own)
    return () => {
      room.followers.delete(own)
      this.#release(name, room)
    }
  }

  async read(name: string): Promise<Snapshot> {
    return this.#rooms.get(name)?.snapshot() ?? { epoch: '', version: 0, entries: [] }
  }

  async isCurrent(name: string, epoch: string, version: number): Promise<boolean> {
    const room = this.#rooms.get(name)
    return (room?.epoch ?? '') === epoch && (room?.version ?? 0) === version
  }

  async change(name: string, place: Place, writes: readonly Write[], bounds: Bounds): Promise<Outcome> {
    const room = this.#room(name)
    const outcome = room.change(place, writes, bounds)
    this.#release(name, room)
    return outcome
  }

  leave(name: string, place: Place): void {
    const room = this.#rooms.get(name)
    if (room === undefined) return
    room.wrote.delete(placeName(place))
    this.#release(name, room)
  }

  async sweep(node: string, isDead: (generation: number) => boolean): Promise<void> {
    for (const [name, room] of this.#rooms) {
      room.sweep(node, isDead)
      this.#release(name, room)
    }
  }

  #room(name: string): MemoryRoom {
    let room = this.#rooms.get(name)
    if (room === undefined) {
      room = new MemoryRoom()
      this.#rooms.set(name, room)
    }
    return room
  }

  #release(name: string, room: MemoryRoom): void {
    if (room.isIdle && this.#rooms.get(name) === room) this.#rooms.delete(name)
  }
}

class MemoryRoom {
  /** Made by the first change. */
  epoch = ''
  version = 0
  readonly followers = new Set<(update: Update) => void>()
  /** Places that wrote here and have not left. */
  readonly wrote = new Set<string>()
  readonly #entries = new Map<string, MemoryEntry>()
  // The lowest generation of a node that may write.
  readonly #lowest = new Map<string, number>()
  #bytes = 0

  get isIdle(): boolean {
    const { followers, wrote } = this
    return followers.size + wrote.size + this.#entries.size + this.#lowest.size === 0
  }

  snapshot(): Snapshot {
    const entries = [...this.#entries].map(([user, { state, places }]) => ({
      user,
      state,
      places: new Map(places),
    }))
    return { epoch: this.epoch, version: this.version, entries }
  }

  change(place: Place, writes: readonly Write[], bounds: Bounds): Outcome {
    const lowest = this.#lowest.get(place.node) ?? 0
    if (place.generation < lowest) return { lowest, full: [] }
    const at = placeName(place)
    this.wrote.add(at)
    const full: string[] = []
    this.#tell(
      at,
      writes.flatMap((write) => this.#write(at, write, bounds, full) ?? []),
    )
    return { lowest: undefined, full }
  }

  #write(at: string, { user, connections, state, restores }: Write, bounds: Bounds, full: string[]) {
    const held = this.#entries.get(user)
    const had = held?.places.get(at) ?? 0
    if (connections === 0) return had === 0 || held === undefined ? undefined : this.#end(at, user, held)
    const wanted = state === undefined || (restores && held?.state !== undefined) ? held?.state : state
    const before = held === undefined ? 0 : sizeOf(user, held.state)
    const fits = (text: string | undefined): boolean => {
      const grows = sizeOf(user, text) - before
      return grows <= 0 || this.#bytes + grows <= bounds.bytes
    }
    const isShut = held === undefined && this.#entries.size >= bounds.members
    if (isShut || !fits(wanted)) full.push(user)
    const next = fits(wanted) ? wanted : held?.state
    const entry = held ?? { state: undefined, places: new Map<string, number>() }
    if (isShut || !fits(next) || (had === connections && entry.state === next)) return undefined
    this.#bytes += sizeOf(user, next) - before
    entry.state = next
    entry.places.set(at, connections)
    this.#entries.set(user, entry)
    return { user, connections, state: next }
  }

  #end(at: string, user: string, held: MemoryEntry): Change {
    held.places.delete(at)
    if (held.places.size > 0) return { user, connections: 0, state: held.state }
    this.#entries.delete(user)
    this.#bytes -= sizeOf(user, held.state)
    return { user, connections: 0, state: undefined }
  }

  sweep(node: string, isDead: (generation: number) => boolean): void {
    for (const at of [...this.wrote]) {
      const generation = Number(at.slice(node.length + 1))
      if (!at.startsWith(`${node}.`) || !isDead(generation)) continue
      this.wrote.delete(at)
      this.#lowest.set(node, Math.max(this.#lowest.get(node) ?? 0, generation + 1))
      const theirs = [...this.#entries].filter(([, { places }]) => places.has(at))
      this.#tell(
        at,
        theirs.map(([user, held]) => this.#end(at, user, held)),
      )
    }
  }

  #tell(place: string, changes: readonly Change[]): void {
    if (this.epoch === '') this.epoch = randomUUID()
    if (changes.length === 0) return
    this.version++
    const update = { epoch: this.epoch, version: this.version, place, changes }
    for (const follower of this.followers) follower(update)
  }
}

const sizeOf = (user: string, state = 'null'): number =>
  Buffer.byteLength(JSON.stringify(user)) + Buffer.byteLength(state) + MEMBER_BYTES
