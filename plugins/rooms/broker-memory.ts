import { randomUUID } from 'node:crypto'
import type { Clock, Timer } from '../../contract/clock.js'
import {
  type Broker,
  BrokerError,
  type Outgoing,
  type Position,
  type ReadFrom,
  type RoomLog,
  type Snapshot,
  type Subscriber,
} from './broker.js'
import { MemoryRoom, type RoomServices } from './memory/room.js'

/** How often a memory broker frees what is over-age, in milliseconds. */
export const SWEEP_INTERVAL = 30_000
/** Rooms that one turn of the event loop sweeps; with many rooms a sweep takes several turns. */
export const SWEEP_SLICE = 2_000
/** Milliseconds between two turns of one sweep. */
export const SLICE_PAUSE = 10

/** Options of a memory broker. */
export interface MemoryBrokerOptions {
  readonly clock: Clock
  /** Told what a subscriber threw, with the room's key; must not throw. */
  readonly onError: (error: unknown, room: string) => void
  /**
   * At most this many rooms are kept. At the bound the one that was without subscribers for longest is dropped with all that
   * it remembers (its readers are told by the gap `epoch`); where all have subscribers, a new room is `UNAVAILABLE`. Default 100,000.
   */
  readonly maxRooms?: number
  /** Makes epochs and publish ids: text that no other call returns. Default `randomUUID` of node:crypto. */
  readonly randomId?: () => string
}

/** What a memory broker holds. Walks through all rooms: for tests and reports. */
export interface MemoryBrokerStats {
  readonly rooms: number
  /** Log entries and `latest` values. */
  readonly entries: number
  /** Publish ids remembered. */
  readonly ids: number
}

/**
 * The broker of a single process. A publish appends and delivers within the call, so that nothing comes between the two; a read is the
 * room at the moment of the call. A room without subscribers is kept for its history's `seconds` (60 s at least, and as long as it
 * remembers publish ids), one that keeps nothing not at all; expiry happens at the next sweep.
 */
export class MemoryBroker implements Broker {
  readonly #clock: Clock
  readonly #services: RoomServices
  readonly #maxRooms: number
  readonly #rooms = new Map<string, MemoryRoom>()
  // Rooms without subscribers, the longest idle first.
  readonly #idle = new Set<MemoryRoom>()
  #timer: Timer | undefined
  // The sweep under way: how far it is, and whether there is anything yet for a next one.
  #cursor = this.#rooms.values()
  #keeping = false
  #closed = false

  constructor({ clock, onError, maxRooms = 100_000, randomId = randomUUID }: MemoryBrokerOptions) {
    this.#clock = clock
    this.#services = { now: () => clock.now(), onError, randomId }
    this.#maxRooms = maxRooms
  }

  async subscribe(key: string, log: RoomLog, subscriber: Subscriber): Promise<() => void> {
    return this.#use(key, log, (room) => {
      const end = room.subscribe(subscriber)
      return () => {
        if (end()) this.#rest(room)
      }
    })
  }

  async publish(key: string, log: RoomLog, outgoing: Outgoing): Promise<Position | undefined> {
    if (outgoing.delivery !== 'volatile') return this.#use(key, log, (room) => room.publish(outgoing))
    this.#refuseClosed()
    return this.#rooms.get(key)?.publish(outgoing)
  }

  async read(key: string, log: RoomLog, from: ReadFrom): Promise<Snapshot> {
    return this.#use(key, log, (room) => room.read(from))
  }

  async close(): Promise<void> {
    this.#closed = true
    for (const room of this.#rooms.values()) room.close()
    this.#rooms.clear()
    this.#idle.clear()
    if (this.#timer !== undefined) this.#clock.clearTimeout(this.#timer)
    this.#timer = undefined
  }

  /** What it holds now. */
  stats(): MemoryBrokerStats {
    let entries = 0
    let ids = 0
    for (const room of this.#rooms.values()) {
      entries += room.entries
      ids += room.ids
    }
    return { rooms: this.#rooms.size, entries, ids }
  }

  #refuseClosed(): void {
    if (this.#closed) throw new BrokerError('CLOSED', 'The broker is closed')
  }

  /** A new room takes its place only after `act`: what is refused, or leaves nothing behind, costs no other room its place. */
  #use<T>(key: string, log: RoomLog, act: (room: MemoryRoom) => T): T {
    this.#refuseClosed()
    const known = this.#rooms.get(key)
    const room = known ?? new MemoryRoom(key, log, this.#services)
    const result = act(room)
    if (known === undefined && (room.keeps || room.subscribed)) {
      this.#makePlace()
      this.#rooms.set(key, room)
    }
    this.#rest(room)
    return result
  }

  #makePlace(): void {
    if (this.#rooms.size < this.#maxRooms) return
    const [longestIdle] = this.#idle
    if (longestIdle === undefined) {
      const message = `${this.#maxRooms} rooms have subscribers: the broker takes no more (maxRooms)`
      throw new BrokerError('UNAVAILABLE', message)
    }
    this.#drop(longestIdle)
  }

  #drop(room: MemoryRoom): void {
    this.#rooms.delete(room.key)
    this.#idle.delete(room)
  }

  /** After a use: an unsubscribed room goes behind the others that are idle, or goes at once where it keeps nothing. */
  #rest(room: MemoryRoom): void {
    // A subscriber may have closed the broker meanwhile.
    if (this.#rooms.get(room.key) !== room) return
    this.#idle.delete(room)
    if (!room.subscribed) {
      if (!room.keeps) {
        this.#drop(room)
        return
      }
      room.touch()
      this.#idle.add(room)
    }
    if (!room.keeps) return
    this.#keeping = true
    this.#timer ??= this.#clock.setTimeout(this.#sweep, SWEEP_INTERVAL)
  }

  readonly #sweep = (): void => {
    const now = this.#clock.now()
    for (let left = SWEEP_SLICE; left > 0; left--) {
      const { done, value: room } = this.#cursor.next()
      if (done) {
        this.#endSweep()
        return
      }
      if (room.sweep(now)) this.#drop(room)
      else this.#keeping ||= room.keeps
    }
    this.#timer = this.#clock.setTimeout(this.#sweep, SLICE_PAUSE)
  }

  #endSweep(): void {
    this.#cursor = this.#rooms.values()
    this.#timer = this.#keeping ? this.#clock.setTimeout(this.#sweep, SWEEP_INTERVAL) : undefined
    this.#keeping = false
  }
}
