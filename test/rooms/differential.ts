/** Random operations on the log of a room in memory and in Redis, the answers compared. */
import { isDeepStrictEqual } from 'node:util'
import {
  BrokerError,
  type Outgoing,
  type Position,
  type Publication,
  RECOVERY_MESSAGES,
  type ReadFrom,
  type RoomLog,
  type Snapshot,
} from '../../plugins/rooms/broker.js'
import { MemoryRoom } from '../../plugins/rooms/memory/room.js'
import { decodeLive, wireKey } from '../../plugins/rooms/redis/live.js'
import { type LogRedis, liveChannel, type PublishReply, RedisLog } from '../../plugins/rooms/redis/log.js'
import { slotOf } from '../../plugins/rooms/slot.js'
import { Dice } from '../fuzz/dice.js'
import { historyOf, type Operation, Operations, type Past, type Profile } from './differential-ops.js'

/** A Redis server under test. */
export interface Side extends LogRedis {
  delete(keys: readonly string[]): Promise<void>
  /** The messages of a channel since the last call, all that were published before this one. */
  heard(channel: string): Promise<Buffer[]>
}

/** How often something was met. */
export type Tally = Map<string, number>

const NOBODY = 'nobody'

/** The room in memory, used as plugins/rooms/broker-memory.ts does: one that keeps nothing is none. */
class Model {
  readonly #log: RoomLog
  readonly #delivered: Publication[] = []
  #room: MemoryRoom | undefined
  now = 1_700_000_000_000
  nextId = ''

  constructor(log: RoomLog) {
    this.#log = log
  }

  publish(
    batch: readonly Outgoing[],
    nonce: string,
  ): { results: PublishReply['results']; heard: Publication[] } {
    const results = batch.map((outgoing, index) => {
      try {
        return this.#use(nonce, (room) => {
          this.nextId = `${nonce}:${index}`
          return room.publish(outgoing) ?? null
        })
      } catch (error) {
        if (error instanceof BrokerError && (error.code === 'TOO_LARGE' || error.code === 'NO_HISTORY'))
          return error.code
        throw error
      }
    })
    return { results, heard: this.#delivered.splice(0) }
  }

  read(from: ReadFrom, nonce: string): Snapshot {
    return this.#use(nonce, (room) => room.read(from))
  }

  lose(): void {
    this.#room = undefined
  }

  #use<T>(nonce: string, act: (room: MemoryRoom) => T): T {
    const room = this.#room ?? this.#made(nonce)
    const result = act(room)
    if (room.keeps) this.#room = room
    return result
  }

  #made(epoch: string): MemoryRoom {
    this.nextId = epoch
    const room = new MemoryRoom('room', this.#log, {
      now: () => this.now,
      randomId: () => this.nextId,
      onError: (error) => {
        throw error
      },
    })
    room.subscribe({
      deliver: (publications) => void this.#delivered.push(...publications),
      restart: () => {},
    })
    return room
  }
}

/** One run. Throws an error that names the seed and the operation at the first difference. */
export async function differential(
  side: Side,
  seed: number,
  profile: Profile,
  steps: number,
  tally: Tally,
): Promise<void> {
  const run = new Run(side, seed, profile, tally)
  for (let step = 0; step < steps; step++) {
    const operation = run.next()
    try {
      await run.step(operation, `nonce ${seed} ${step}`)
    } catch (error) {
      const said = JSON.stringify(operation).slice(0, 400)
      throw new Error(`Seed ${seed}, ${profile}, operation ${step}: ${said}`, { cause: error })
    }
  }
}

class Run {
  readonly #side: Side
  readonly #room: string
  readonly #log: RoomLog
  readonly #model: Model
  readonly #redis: RedisLog
  readonly #operations: Operations
  readonly #tally: Tally
  readonly #past: Past = { positions: [], ids: [], versions: [] }
  #version = 0

  constructor(side: Side, seed: number, profile: Profile, tally: Tally) {
    const dice = new Dice(seed)
    this.#side = side
    this.#tally = tally
    this.#room = `/path room:${seed}}{"é`
    this.#log = historyOf(dice, profile)
    this.#model = new Model(this.#log)
    this.#redis = new RedisLog(side, { now: () => this.#model.now })
    this.#operations = new Operations(dice, this.#log, profile)
  }

  next(): Operation {
    return this.#operations.next(this.#past)
  }

  async step(operation: Operation, nonce: string): Promise<void> {
    switch (operation.do) {
      case 'publish':
        return this.#publish(operation.batch, nonce)
      case 'read':
        return this.#read(operation.from, nonce)
      case 'after':
        return this.#after(operation.since, nonce)
      case 'since':
        return this.#since(operation.version)
      case 'head': {
        const { position } = await this.#redis.head(this.#room, this.#log, nonce)
        return same(position, this.#model.read({ session: NOBODY }, nonce).position)
      }
      case 'pass':
        this.#model.now += operation.ms
        return
      case 'lose': {
        this.#count('lose')
        this.#model.lose()
        const all = ['log', 'meta', 'ids0', 'ids1', 'latest', 'order']
        const names = operation.keys.length > 0 ? operation.keys : all
        return this.#side.delete(names.map((name) => `${this.#side.prefix}:{${this.#room}}:${name}`))
      }
    }
  }

  async #publish(batch: readonly Outgoing[], nonce: string): Promise<void> {
    const before = this.#model.read({ session: NOBODY }, nonce)
    // That read may have started the room.
    const start = await this.#redis.head(this.#room, this.#log, nonce)
    same(start.position, before.position)
    const expected = this.#model.publish(batch, nonce)
    const reply = await this.#redis.publish(this.#room, this.#log, batch, nonce)
    same(reply.results, expected.results)
    for (const result of reply.results) {
      if (result !== null && typeof result === 'object') this.#past.positions.push(result)
      this.#count(result === null ? 'no position' : typeof result === 'string' ? result : 'position')
    }
    this.#past.versions.push(reply.version)
    await this.#compareLive(start, reply, expected.heard)
    const hits =
      expected.results.filter((result) => typeof result !== 'string').length - expected.heard.length
    if (hits > 0) this.#count('known id')
    // Of the values that stand at the end, those of this batch are the last ones.
    const { publications } = await this.#redis.latestSince(this.#room, start.version)
    const slots = new Set(expected.heard.filter(({ delivery }) => delivery === 'latest').map(slotOf))
    const { latest } = this.#model.read({ session: NOBODY }, nonce)
    same(
      publications,
      latest.filter((value) => slots.has(slotOf(value))),
    )
  }

  async #compareLive(
    start: { position: Position | undefined; version: number },
    { epoch, version }: PublishReply,
    expected: readonly Publication[],
  ): Promise<void> {
    const messages = await this.#side.heard(liveChannel(this.#side.prefix, this.#room))
    same(messages.length, expected.length > 0 ? 1 : 0)
    const [message] = messages
    if (message === undefined) return
    const live = decodeLive(message)
    same(live.epoch ?? '', epoch)
    same([live.previousVersion, live.version], [start.version, version])
    const recoverable = expected.some(({ delivery }) => delivery === 'recoverable')
    same(live.previousTag, recoverable ? start.position?.tag : undefined)
    same(live.publications.map(plain), expected.map(plain))
    same(
      live.publications.map(({ frame }) => frame && textOf(frame)),
      expected.map(({ event, payload, position }) => {
        const tail = position === undefined ? ']' : `,${position.offset},${position.tag}]`
        return `[23,${JSON.stringify(wireKey(this.#room))},${JSON.stringify(event)},${payload}${tail}`
      }),
    )
  }

  async #read(from: ReadFrom, nonce: string): Promise<void> {
    const expected = this.#model.read(from, nonce)
    const { version, ...snapshot } = await this.#redis.read(this.#room, this.#log, from, nonce)
    if (expected.position !== undefined) this.#past.positions.push(expected.position)
    this.#version = Math.max(this.#version, version)
    same(snapshot.gap, expected.gap)
    same(snapshot, expected)
    this.#count(from.since === undefined ? 'read' : (expected.gap ?? 'continued'))
    if (expected.latest.length > 0) this.#count('values')
  }

  // Page by page it is what a reader who is excepted from nothing would get at once, and more where that is too many.
  async #after(since: Position, nonce: string): Promise<void> {
    const expected = this.#model.read({ since, session: NOBODY }, nonce)
    const pages: Publication[] = []
    let place = since
    for (let more = true; more; ) {
      const page = await this.#redis.after(this.#room, this.#log, place, nonce)
      same(page.head, expected.position)
      if (expected.gap !== 'tooMany') same(page.gap, expected.gap)
      pages.push(...page.publications)
      more = page.more
      if (more) this.#count('page')
      place = page.publications.at(-1)?.position ?? place
    }
    if (expected.gap === 'tooMany') {
      same(pages.length > RECOVERY_MESSAGES || bytesOf(pages) > 1_048_576, true)
      same(place, expected.position)
      same(
        pages.map(({ position }) => position?.offset),
        pages.map((_, index) => since.offset + 1 + index),
      )
    } else {
      same(pages, expected.publications)
    }
  }

  async #since(version: number): Promise<void> {
    const all = await this.#redis.latestSince(this.#room, 0)
    const some = await this.#redis.latestSince(this.#room, version)
    same(some.version, all.version)
    same(some.publications, all.publications.slice(all.publications.length - some.publications.length))
    if (version >= all.version) same(some.publications.length, 0)
  }

  #count(what: string): void {
    this.#tally.set(what, (this.#tally.get(what) ?? 0) + 1)
  }
}

function same(actual: unknown, expected: unknown): void {
  if (isDeepStrictEqual(actual, expected)) return
  throw new Error(
    `Redis: ${JSON.stringify(actual)?.slice(0, 2000)}\nmemory: ${JSON.stringify(expected)?.slice(0, 2000)}`,
  )
}

const plain = ({ event, delivery, payload, latestKey, except, position }: Publication): Publication => ({
  event,
  delivery,
  payload,
  latestKey,
  except,
  position,
})

const bytesOf = (publications: readonly Publication[]): number =>
  publications.reduce((sum, { payload }) => sum + Buffer.byteLength(payload), 0)

/** The text of a frame, its header checked by a reader of its own. RFC 6455 § 5.2. */
function textOf(frame: Buffer): string {
  const short = frame.readUInt8(1)
  const start = short < 126 ? 2 : short === 126 ? 4 : 10
  const length =
    short < 126 ? short : short === 126 ? frame.readUInt16BE(2) : Number(frame.readBigUInt64BE(2))
  same([frame[0], frame.length], [0x81, start + length])
  same(length >= (short === 127 ? 65_536 : short === 126 ? 126 : 0), true)
  return frame.toString('utf8', start)
}
