/**
 * The log of a room in Redis: one script per operation, with the answers that plugins/rooms/memory/room.ts gives. The keys, what is in
 * them and how long they live stand in plugins/redis/lua/room.lua. docs/decisions/redis-log.md.
 */
import { type RedisHub, type RedisValue, type Script, script } from '../../redis/core.js'
import {
  BrokerError,
  type BrokerErrorCode,
  type GapReason,
  LATEST_BYTES,
  LATEST_KEYS,
  type Outgoing,
  type Position,
  PUBLISH_ID_SECONDS,
  PUBLISH_IDS,
  type Publication,
  RECOVERY_BYTES,
  RECOVERY_MESSAGES,
  type ReadFrom,
  type RoomLog,
  type Snapshot,
} from '../broker.js'
import { slotOf } from '../slot.js'
import { labelOf, leadOf } from './live.js'
import { Reply } from './reply.js'

/** What the log needs of Redis: the hub, or whatever else runs scripts. */
export type LogRedis = Pick<RedisHub, 'prefix' | 'isCluster' | 'run'>

/** Options of a log. */
export interface RedisLogOptions {
  /** Milliseconds that never go back, for tests. Default: the clock of the server. */
  readonly now?: () => number
}

/** What became of a batch. */
export interface PublishReply {
  /** Of the room's log; empty where the batch left nothing behind. */
  readonly epoch: string
  /** Of the room's `latest` values. */
  readonly version: number
  /** By publication: its position; `null` where it was taken without one; or why it was refused. */
  readonly results: ReadonlyArray<Position | null | Extract<BrokerErrorCode, 'TOO_LARGE' | 'NO_HISTORY'>>
}

/** Where a room stands. */
export interface Head {
  /** `undefined` without history. */
  readonly position: Position | undefined
  /** Rises with each `latest` value that is set, also across lives of the room (it follows the server's clock); 0 before the first. */
  readonly version: number
}

/** A part of what came after a position. */
export interface Page {
  readonly head: Position
  /** Why there is nothing: the log cannot be continued from that position. */
  readonly gap: GapReason | undefined
  /** Contiguous, from the next offset on; excepted ones too. At most `RECOVERY_MESSAGES` and, from the second on, `RECOVERY_BYTES`. */
  readonly publications: readonly Publication[]
  /** Whether others follow. */
  readonly more: boolean
}

const PUBLISH = script('room-publish')
const READ = script('room-read')
const AFTER = script('room-after')
const HEAD = script('room-head')
const LATEST = script('room-latest')

const KINDS = { recoverable: 'r', latest: 'l', volatile: 'v' } as const

/** The channel of a room's live messages. */
export const liveChannel = (prefix: string, room: string): string => `${prefix}:{${room}}:live`

/**
 * The scripts of a room's log, typed. No state of its own. Every method is one round trip, runs as a whole, and lets the room live on for
 * its time; one that finds no room with history starts it. `nonce` is a text that no other call passes: the epoch, should one have to be
 * started, and what the tags of publications without an id are made from.
 * Rejects with BrokerError `UNAVAILABLE` where Redis could not do it: the cause is RedisUnavailable (what was under way may have run) or
 * what Redis answered (nothing was kept).
 */
export class RedisLog {
  readonly #redis: LogRedis
  readonly #now: (() => number) | undefined

  constructor(redis: LogRedis, { now }: RedisLogOptions = {}) {
    this.#redis = redis
    this.#now = now
  }

  /**
   * Keeps a batch in order and publishes what is new of it as one message on the room's channel. A refused publication leaves the others
   * as they are. One whose id is known answers the first position, and writes, so that a WAIT behind it covers the first.
   */
  async publish(
    room: string,
    log: RoomLog,
    batch: readonly Outgoing[],
    nonce: string,
  ): Promise<PublishReply> {
    const publications = batch.flatMap((outgoing, index) => [
      KINDS[outgoing.delivery],
      outgoing.id === undefined ? '' : '1',
      outgoing.id ?? `${nonce}:${index}`,
      outgoing.delivery === 'latest' ? slotOf(outgoing) : '',
      outgoing.event,
      outgoing.except ?? '',
      labelOf(outgoing),
      leadOf(room, outgoing.event),
      outgoing.payload,
    ])
    const reply = await this.#run(PUBLISH, room, log, nonce, [
      this.#redis.isCluster ? 'SPUBLISH' : 'PUBLISH',
      liveChannel(this.#redis.prefix, room),
      PUBLISH_IDS,
      LATEST_KEYS,
      LATEST_BYTES,
      ...publications,
    ])
    const epoch = reply.text()
    const version = reply.number()
    return { epoch, version, results: batch.map(() => reply.result(epoch)) }
  }

  /** What a reader gets: see `Broker.read`. */
  async read(
    room: string,
    log: RoomLog,
    from: ReadFrom,
    nonce: string,
  ): Promise<Snapshot & { readonly version: number }> {
    const { since, last = 0, session } = from
    const reply = await this.#run(READ, room, log, nonce, [
      ...placeOf(since),
      Math.min(last, RECOVERY_MESSAGES),
      session,
      RECOVERY_MESSAGES,
      RECOVERY_BYTES,
    ])
    const { position, version } = reply.head(log)
    const gap = reply.gap()
    const publications = reply.publications(reply.number(), position?.epoch ?? '')
    const latest = reply.values().filter(({ except }) => except !== session)
    return { position, version, publications, latest, gap: log.history ? gap : since && 'epoch' }
  }

  /** What came after a position, for who fills a hole; `log` must have a history. */
  async after(room: string, log: RoomLog, position: Position, nonce: string): Promise<Page> {
    const limits = [RECOVERY_MESSAGES, RECOVERY_BYTES]
    const reply = await this.#run(AFTER, room, log, nonce, [...placeOf(position), ...limits])
    const { position: head } = reply.head(log)
    if (head === undefined) throw new BrokerError('NO_HISTORY', `${room} has no history to fill from`)
    const gap = reply.gap()
    const more = reply.number() === 1
    return { head, gap, publications: reply.publications(reply.number(), head.epoch), more }
  }

  /** Where a room stands; who has members in it asks at least every `PUBLISH_ID_SECONDS`, or it may expire; a minute late is early enough. */
  async head(room: string, log: RoomLog, nonce: string): Promise<Head> {
    const reply = await this.#run(HEAD, room, log, nonce, [])
    return reply.head(log)
  }

  /** The current values that were set after a version, the longest unchanged first, excepted ones too. */
  async latestSince(
    room: string,
    version: number,
  ): Promise<{ readonly version: number; readonly publications: readonly Publication[] }> {
    const reply = await this.#run(LATEST, room, { history: undefined }, '', [version])
    return { version: reply.number(), publications: reply.values() }
  }

  async #run(
    command: Script,
    room: string,
    { history }: RoomLog,
    nonce: string,
    values: readonly RedisValue[],
  ): Promise<Reply> {
    const root = `${this.#redis.prefix}:{${room}}:`
    const keys = ['log', 'meta', 'ids0', 'ids1', 'latest', 'order'].map((name) => root + name)
    const bounds = history ? [history.messages, history.seconds, history.bytes] : ['', '', '']
    try {
      const given = [this.#now?.() ?? '', nonce, PUBLISH_ID_SECONDS, ...bounds, ...values]
      return new Reply(await this.#redis.run(command, keys, given))
    } catch (error) {
      throw new BrokerError('UNAVAILABLE', `Redis did not serve the log of ${room}`, { cause: error })
    }
  }
}

/** A position as the scripts take it: an offset that is none is beyond every log. */
const placeOf = (position: Position | undefined): RedisValue[] =>
  position === undefined
    ? ['', '', '']
    : [position.epoch, Number.isSafeInteger(position.offset) ? position.offset : -1, position.tag]

export type { Live } from './live.js'
