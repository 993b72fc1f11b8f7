import {
  BrokerError,
  type Outgoing,
  type Position,
  type Publication,
  type ReadFrom,
  type RoomLog,
  type Snapshot,
  type Subscriber,
} from '../broker.js'
import { Latest } from './latest.js'
import { Log, publicationOf } from './log.js'
import { PublishIds } from './publish-ids.js'

/** What a room needs of its broker. */
export interface RoomServices {
  /** Milliseconds that never go back. */
  readonly now: () => number
  /** Text that no other call returns, anywhere. */
  readonly randomId: () => string
  /** Told what a subscriber threw. */
  readonly onError: (error: unknown, room: string) => void
}

/** How long a room without subscribers is kept, at least, in seconds. */
export const IDLE_SECONDS = 60
/** Publications that subscribers may publish into a room from within one delivery; beyond: `UNAVAILABLE`. */
export const NESTED_PUBLICATIONS = 1_000

/** One room of the memory broker: its log, its `latest` values, its publish ids, and who is subscribed. */
export class MemoryRoom {
  readonly key: string
  readonly #services: RoomServices
  readonly #log: Log | undefined
  readonly #idleLife: number
  #latest: Latest | undefined
  #ids: PublishIds | undefined
  // Replaced, never changed: a delivery goes on with the array it began with.
  #subscriptions: ReadonlyArray<{ subscriber: Subscriber | undefined }> = []
  // What is being handed on: the publication under way, and those that subscribers published meanwhile.
  readonly #turn: Publication[] = []
  #idleSince: number

  /** An empty room; with a history, of a new epoch. */
  constructor(key: string, log: RoomLog, services: RoomServices) {
    this.key = key
    this.#services = services
    this.#log = log.history && new Log(log.history, services.randomId())
    this.#idleLife = Math.max(log.history?.seconds ?? 0, IDLE_SECONDS) * 1000
    this.#idleSince = services.now()
  }

  /** Whether anyone is subscribed. */
  get subscribed(): boolean {
    return this.#subscriptions.length > 0
  }

  /** Whether there is anything that a later reader would miss. */
  get keeps(): boolean {
    return this.#log !== undefined || (this.#latest?.size ?? 0) > 0
  }

  /** Log entries and `latest` values. */
  get entries(): number {
    return (this.#log?.size ?? 0) + (this.#latest?.size ?? 0)
  }

  /** Publish ids remembered. */
  get ids(): number {
    return this.#ids?.size ?? 0
  }

  /** Counts as used now: idle time starts anew. */
  touch(): void {
    this.#idleSince = this.#services.now()
  }

  /** Frees what is over-age. True where nobody is subscribed and the room's time is over. */
  sweep(now: number): boolean {
    this.#log?.trim(now)
    this.#ids?.forget(now)
    return !this.subscribed && this.ids === 0 && now - this.#idleSince >= this.#idleLife
  }

  /** Adds a subscriber; returns what removes it, true the first time. */
  subscribe(subscriber: Subscriber): () => boolean {
    const subscription: { subscriber: Subscriber | undefined } = { subscriber }
    this.#subscriptions = [...this.#subscriptions, subscription]
    return () => {
      if (subscription.subscriber === undefined) return false
      subscription.subscriber = undefined
      this.#subscriptions = this.#subscriptions.filter((other) => other !== subscription)
      return true
    }
  }

  /** Removes all subscribers. */
  close(): void {
    for (const subscription of this.#subscriptions) subscription.subscriber = undefined
    this.#subscriptions = []
  }

  /** Keeps what is to be kept and hands it to the subscribers. Throws a BrokerError, and then has changed nothing. */
  publish(outgoing: Outgoing): Position | undefined {
    if (this.#turn.length > NESTED_PUBLICATIONS) {
      throw new BrokerError('UNAVAILABLE', `Subscribers of ${this.key} publish into it without end`)
    }
    if (outgoing.delivery === 'volatile') {
      this.#deliver(publicationOf(outgoing, undefined))
      return undefined
    }
    const { id } = outgoing
    const known = id === undefined ? undefined : this.#ids?.find(id)
    if (known !== undefined) return known ?? undefined
    const publication = this.#keep(outgoing)
    if (id !== undefined) {
      const now = this.#services.now()
      this.#ids ??= new PublishIds(now)
      this.#ids.add(id, publication.position ?? null, now)
    }
    this.#deliver(publication)
    return publication.position
  }

  /** The room as it is. */
  read(from: ReadFrom): Snapshot {
    const read = this.#log?.read(from, this.#services.now())
    return {
      position: this.#log?.head,
      publications: read?.publications ?? [],
      latest: this.#latest?.values(from.session) ?? [],
      gap: read === undefined ? from.since && 'epoch' : read.gap,
    }
  }

  #keep(outgoing: Outgoing): Publication {
    if (outgoing.delivery === 'recoverable') {
      if (this.#log === undefined) {
        throw new BrokerError('NO_HISTORY', `${this.key} has no history to keep ${outgoing.event} in`)
      }
      return this.#log.append(outgoing, outgoing.id ?? this.#services.randomId(), this.#services.now())
    }
    const publication = publicationOf(outgoing, undefined)
    this.#latest ??= new Latest()
    this.#latest.set(publication)
    return publication
  }

  // A subscriber that publishes is answered, but what it published is handed on after what is being handed on: order is the
  // same for every subscriber.
  #deliver(publication: Publication): void {
    if (!this.subscribed || this.#turn.push(publication) > 1) return
    try {
      for (const next of this.#turn) this.#hand([next])
    } finally {
      this.#turn.length = 0
    }
  }

  #hand(publications: readonly Publication[]): void {
    for (const subscription of this.#subscriptions) {
      try {
        subscription.subscriber?.deliver(publications)
      } catch (error) {
        this.#services.onError(error, this.key)
      }
    }
  }
}
