/** The broker of several nodes that share a Redis. docs/decisions/room-log.md. */
import { randomUUID } from 'node:crypto'
import type { Clock } from '../../contract/clock.js'
import { type RedisHub, RedisUnavailable } from '../redis/core.js'
import {
  type Broker,
  BrokerError,
  type Outgoing,
  type Position,
  type Publication,
  type ReadFrom,
  type RoomLog,
  type Snapshot,
  type Subscriber,
} from './broker.js'
import { publicationOf } from './memory/log.js'
import { type FeedHost, RoomFeed } from './redis/feed.js'
import { decodeLive, encodeLive, type Live } from './redis/live.js'
import { liveChannel, type PublishReply, RedisLog } from './redis/log.js'
import { type Outcome, Publisher } from './redis/publisher.js'
import { ReplicatedScripts } from './redis/replicated.js'
import { SharedReads } from './redis/shared-reads.js'
import { Sweep } from './redis/sweep.js'

/** Options of a Redis broker. */
export interface RedisBrokerOptions {
  readonly hub: RedisHub
  readonly clock: Clock
  /** Told what a subscriber threw, or what Redis answered that is no outage, with the room's name; must not throw. */
  readonly onError: (error: unknown, room: string) => void
  /** Rooms with subscribers on this node; one more is `UNAVAILABLE`. Default 100,000. */
  readonly maxRooms?: number
  /** Makes epochs and publish ids: text that no other call returns, anywhere. Default `randomUUID` of node:crypto. */
  readonly randomId?: () => string
  /** Spreads what nodes do at once; 0 ≤ n < 1. */
  readonly random?: () => number
}

/**
 * Rooms whose logs are in Redis: see plugins/rooms/redis/log.ts for what is kept and for how long. While Redis is away, volatile
 * publications reach this node's own subscribers, and everything else is `UNAVAILABLE`.
 */
export class RedisBroker implements Broker {
  readonly #hub: RedisHub
  readonly #log: RedisLog
  readonly #publisher: Publisher
  readonly #sweep: Sweep
  readonly #reads = new SharedReads<Read>()
  readonly #feeds = new Map<string, RoomFeed>()
  readonly #host: FeedHost
  readonly #randomId: () => string
  readonly #onError: (error: unknown, room: string) => void
  readonly #maxRooms: number
  // By how many replicas: as many as the namespaces of the app differ in.
  readonly #replicated = new Map<number, ReplicatedScripts>()
  readonly #endHealth: () => void
  #closed = false

  constructor({
    hub,
    clock,
    onError,
    maxRooms = 100_000,
    randomId = randomUUID,
    random = Math.random,
  }: RedisBrokerOptions) {
    this.#hub = hub
    this.#log = new RedisLog(hub)
    this.#onError = onError
    this.#randomId = randomId
    this.#maxRooms = maxRooms
    this.#host = {
      clock,
      log: this.#log,
      subscribe: (room, listener) => this.#listen(room, listener),
      randomId,
      onError,
    }
    this.#publisher = new Publisher((...batch) => this.#send(...batch))
    this.#sweep = new Sweep({
      clock,
      random,
      feeds: this.#feeds,
      canCheck: (room) => this.#isThere(room),
    })
    this.#endHealth = hub.onHealth((state) => {
      if (state === 'up') this.#sweep.resync()
    })
  }

  async subscribe(room: string, log: RoomLog, subscriber: Subscriber): Promise<() => void> {
    this.#refuseClosed()
    const feed = this.#feeds.get(room) ?? this.#open(room, log)
    const end = feed.add(subscriber)
    const unsubscribe = (): void => {
      if (end() && this.#feeds.get(room) === feed) this.#drop(feed)
    }
    try {
      await feed.started
      this.#refuseClosed()
    } catch (error) {
      unsubscribe()
      throw error
    }
    return unsubscribe
  }

  async publish(room: string, log: RoomLog, outgoing: Outgoing): Promise<Position | undefined> {
    return this.#publisher.publish(room, log, outgoing)
  }

  async read(room: string, log: RoomLog, from: ReadFrom): Promise<Snapshot> {
    this.#refuseClosed()
    const { version, ...snapshot } = await this.#snapshot(room, log, from)
    // What is delivered next must not be what was read.
    await this.#feeds.get(room)?.reach({ position: snapshot.position, version })
    this.#refuseClosed()
    return snapshot
  }

  // Many who join at once would read the same, but for what is not for one of them: who finds such a publication reads alone.
  async #snapshot(room: string, log: RoomLog, from: ReadFrom): Promise<Read> {
    const { since, last, session } = from
    const shared = await this.#reads.read(JSON.stringify([room, since, last]), () =>
      this.#log.read(room, log, { ...from, session: '' }, this.#randomId()),
    )
    const isExcepted = ({ except }: Publication): boolean => except === session
    // What is not for a reader does not count towards the bound of a recovery.
    const isTheirs =
      shared.gap === 'tooMany' || shared.publications.some(isExcepted) || shared.latest.some(isExcepted)
    return isTheirs ? this.#log.read(room, log, from, this.#randomId()) : shared
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#endHealth()
    this.#sweep.close()
    this.#publisher.close()
    for (const scripts of this.#replicated.values()) scripts.close()
    for (const feed of this.#feeds.values()) feed.stop()
    this.#feeds.clear()
  }

  /** Rooms that have subscribers on this node. */
  get size(): number {
    return this.#feeds.size
  }

  #refuseClosed(): void {
    if (this.#closed) throw new BrokerError('CLOSED', 'The broker is closed')
  }

  #open(room: string, log: RoomLog): RoomFeed {
    if (this.#feeds.size >= this.#maxRooms) {
      const message = `${this.#maxRooms} rooms have subscribers: the broker takes no more (maxRooms)`
      throw new BrokerError('UNAVAILABLE', message)
    }
    const feed = new RoomFeed(room, log, this.#host)
    this.#feeds.set(room, feed)
    this.#sweep.wake()
    return feed
  }

  #drop(feed: RoomFeed): void {
    this.#feeds.delete(feed.room)
    feed.stop()
  }

  async #listen(room: string, listener: (live: Live, bytes: number) => void): Promise<() => void> {
    const receive = (message: Buffer): void => {
      try {
        listener(decodeLive(message), message.length)
      } catch (error) {
        // What it should have said is missed, and found in the log.
        this.#onError(error, room)
      }
    }
    try {
      return await this.#hub.subscribe(liveChannel(this.#hub.prefix, room), receive)
    } catch (error) {
      throw new BrokerError('UNAVAILABLE', `Redis did not subscribe to ${room}`, { cause: error })
    }
  }

  async #send(room: string, log: RoomLog, batch: readonly Outgoing[]): Promise<readonly Outcome[]> {
    // Before: the loss of what is sent makes Redis away, and nobody knows whether it has arrived.
    const isSent = this.#isThere(room)
    try {
      if (batch.every(isVolatile)) {
        await this.#hub.publish(liveChannel(this.#hub.prefix, room), encodeLive(room, batch))
        return batch.map(() => undefined)
      }
      const { results } = await this.#keep(room, log, batch)
      return results.map((result) =>
        typeof result === 'string' ? refusal(result, room) : (result ?? undefined),
      )
    } catch (error) {
      const failure = this.#failure(error, room)
      // Volatile ones may be lost, and may not come twice: those of a command whose outcome is unknown are not handed on.
      if (!isSent) {
        const publications = batch.filter(isVolatile).map((outgoing) => publicationOf(outgoing, undefined))
        this.#feeds.get(room)?.deliver(publications)
      }
      return batch.map((outgoing) => (isVolatile(outgoing) ? undefined : failure))
    }
  }

  #isThere(room: string): boolean {
    return this.#hub.masterOf(liveChannel(this.#hub.prefix, room)) !== undefined
  }

  // What must be replicated may run again: only what has an id of its own is then not published twice.
  #keep(room: string, log: RoomLog, batch: readonly Outgoing[]): Promise<PublishReply> {
    const { replicas } = log
    if (replicas === undefined) return this.#log.publish(room, log, batch, this.#randomId())
    let scripts = this.#replicated.get(replicas)
    if (scripts === undefined) {
      scripts = new ReplicatedScripts(this.#hub, this.#host.clock, replicas)
      this.#replicated.set(replicas, scripts)
    }
    const named = batch.map((outgoing) =>
      isVolatile(outgoing) ? outgoing : { ...outgoing, id: outgoing.id ?? this.#randomId() },
    )
    return new RedisLog(scripts).publish(room, log, named, this.#randomId())
  }

  #failure(error: unknown, room: string): BrokerError {
    if (error instanceof BrokerError && error.code !== 'UNAVAILABLE') return this.#told(error, room)
    const cause = error instanceof BrokerError ? (error.cause ?? error) : error
    const message = `Redis did not confirm what was published into ${room}; try again under the same id, and it is kept once`
    return this.#told(new BrokerError('UNAVAILABLE', message, { cause }), room)
  }

  #told(failure: BrokerError, room: string): BrokerError {
    if (!(failure.cause instanceof RedisUnavailable)) this.#onError(failure, room)
    return failure
  }
}

type Read = Awaited<ReturnType<RedisLog['read']>>

const isVolatile = ({ delivery }: Outgoing): boolean => delivery === 'volatile'

function refusal(code: 'TOO_LARGE' | 'NO_HISTORY', room: string): BrokerError {
  const why = code === 'TOO_LARGE' ? 'A payload above what the room keeps in all' : 'There is no history'
  return new BrokerError(code, `${why}: ${room}`)
}
