import { expect, it } from 'vitest'
import {
  BrokerError,
  LATEST_BYTES,
  LATEST_KEYS,
  type Outgoing,
  type Position,
  PUBLISH_ID_SECONDS,
  PUBLISH_IDS,
  RECOVERY_BYTES,
  RECOVERY_MESSAGES,
  type RoomLog,
} from '../../plugins/rooms/broker.js'
import { liveChannel, RedisLog } from '../../plugins/rooms/redis/log.js'
import {
  latest,
  NO_HISTORY,
  ROOMY,
  recoverable,
  volatile,
  withHistory,
} from '../conformance/broker-support.js'
import { describeWithRedis } from '../support/redis.js'
import { type RedisSide, startSide } from './redis-side.js'

const ROOM = '/chat room:1'
const keyOf = (part: string): string => `test:{${ROOM}}:${part}`
const PARTS = ['log', 'meta', 'ids0', 'ids1', 'latest', 'order']
const reader = { last: 1000, session: 'nobody' }

/** A log by a clock that stands still until it is moved. */
const setUp = async (side?: RedisSide) => {
  const clock = { ms: 1_700_000_000_000 }
  const redis = side ?? (await startSide())
  const log = new RedisLog(redis, { now: () => clock.ms })
  let nonces = 0
  const publish = (batch: readonly Outgoing[], room: RoomLog = ROOMY) =>
    log.publish(ROOM, room, batch, `nonce ${++nonces}`)
  const read = (room: RoomLog = ROOMY) => log.read(ROOM, room, reader, `nonce ${++nonces}`)
  return { redis, client: redis.client, clock, log, publish, read }
}
const callsOf = async ({ client }: RedisSide, command: string): Promise<number> => {
  const stats = await client.info('commandstats')
  return Number(new RegExp(`cmdstat_${command}:calls=(\\d+)`).exec(stats)?.[1] ?? 0)
}
/** The offset of the oldest entry that is stored. */
const oldestOf = async ({ client }: RedisSide): Promise<string | undefined> =>
  (await client.xrange(keyOf('log'), '-', '+', 'COUNT', 1))[0]?.[0].split('-')[0]
const refusal = async (promise: Promise<unknown>): Promise<BrokerError> => {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  expect(error).toBeInstanceOf(BrokerError)
  return error as BrokerError
}

describeWithRedis('the keys of a room', () => {
  it('come into being together, whatever comes first, with one expiry', async () => {
    const { redis, client, log, publish, read } = await setUp()
    const first: ReadonlyArray<readonly [string, () => Promise<unknown>]> = [
      ['read', () => read()],
      ['head', () => log.head(ROOM, ROOMY, 'epoch')],
      ['after', () => log.after(ROOM, ROOMY, { epoch: 'e', offset: 0, tag: 0 }, 'epoch')],
      ['recoverable', () => publish([recoverable(1)])],
      ['latest', () => publish([latest('a', 1)])],
      ['latest without history', () => publish([latest('a', 1)], NO_HISTORY)],
    ]
    for (const [name, act] of first) {
      await client.flushall()
      await act()
      const expiries = await Promise.all(PARTS.map((part) => client.pexpiretime(keyOf(part))))
      expect([name, new Set(expiries).size, (expiries[0] ?? 0) > 0]).toEqual([name, 1, true])
    }
    expect(await redis.client.dbsize()).toBe(PARTS.length)
  })

  it('are not made by what keeps nothing', async () => {
    const { client, log, publish, read } = await setUp()
    await publish([volatile(1), recoverable(1), latest('a', 'x'.repeat(LATEST_BYTES))], NO_HISTORY)
    await publish([recoverable('x'.repeat(11))], withHistory({ bytes: 10 }))
    await read(NO_HISTORY)
    await log.head(ROOM, NO_HISTORY, 'epoch')
    await log.latestSince(ROOM, 0)
    expect(await client.dbsize()).toBe(0)
  })

  it('live for the seconds of the history, and as long as publish ids do, from the last use on', async () => {
    const { client, clock, log, publish } = await setUp()
    for (const [seconds, least] of [
      [1, PUBLISH_ID_SECONDS],
      [500, 500],
    ] as const) {
      const room = withHistory({ seconds })
      await client.flushall()
      await publish([recoverable(1)], room)
      // Whatever was used last: within a minute there is enough left, later it is set anew, for all keys at once.
      for (const act of [
        () => publish([recoverable(1)], room),
        () => log.head(ROOM, room, 'epoch'),
        () => log.read(ROOM, room, reader, 'epoch'),
      ]) {
        for (const part of PARTS) await client.pexpire(keyOf(part), least * 1000)
        clock.ms += 61_000
        await act()
        const left = await Promise.all(PARTS.map((part) => client.pttl(keyOf(part))))
        for (const ms of left) expect(ms).toBeGreaterThan(least * 1000)
      }
    }
  })

  it('live a minute longer than that: who keeps them alive may be late', async () => {
    const { client, clock, log } = await setUp()
    const room = withHistory({ seconds: 1 })
    for (let second = 0; second < 300; second += 7) {
      await log.head(ROOM, room, 'epoch')
      const left = Number(await client.hget(keyOf('meta'), 'expires')) - clock.ms
      expect(left).toBeGreaterThanOrEqual((PUBLISH_ID_SECONDS + 60) * 1000)
      clock.ms += 7000
    }
  })

  it('keep one expiry when the publish ids take turns', async () => {
    const { client, clock, publish } = await setUp()
    await publish([recoverable(1, { id: 'a' })])
    for (let turn = 0; turn < 3; turn++) {
      clock.ms += PUBLISH_ID_SECONDS * 1000
      await publish([recoverable(2, { id: `b${turn}` })])
      const expiries = await Promise.all(PARTS.map((part) => client.pexpiretime(keyOf(part))))
      expect(new Set(expiries).size).toBe(1)
    }
    // Three turns: the first id is gone, the last two are not.
    expect(await Promise.all([client.hlen(keyOf('ids0')), client.hlen(keyOf('ids1'))])).toEqual([2, 2])
  })

  it.each(PARTS)('start over where %s alone was evicted', async (part) => {
    const { client, publish, read } = await setUp()
    const batch = [recoverable(1, { id: 'one' }), latest('a', 1), latest('b', 1)]
    const before = await publish(batch)
    await client.del(keyOf(part))
    const after = await publish([latest('c', 2)])
    expect(after.epoch).not.toBe(before.epoch)
    const { position, publications, latest: values } = await read()
    expect([position?.offset, publications.length, values.map(({ latestKey }) => latestKey)]).toEqual([
      0,
      0,
      ['c'],
    ])
    expect(await client.exists(...PARTS.map(keyOf))).toBe(PARTS.length)
  })

  it('start over where the log alone was evicted', async () => {
    const { client, log, publish, read } = await setUp()
    const [before] = (await publish([recoverable(1), latest('a', 1)])).results
    await client.del(keyOf('log'))
    const { epoch, results } = await publish([recoverable(2)])
    expect(results).toMatchObject([{ epoch, offset: 1 }])
    if (before === null || typeof before !== 'object') throw new Error('not kept')
    expect(epoch).not.toBe(before.epoch)
    expect(await log.read(ROOM, ROOMY, { ...reader, since: before }, 'x')).toMatchObject({
      gap: 'epoch',
      latest: [],
    })
    expect((await read()).publications).toHaveLength(1)
  })
})

describeWithRedis('a publish into Redis', () => {
  it('keeps offsets and tags exact beyond 1e14', async () => {
    const { client, publish, log } = await setUp()
    await publish([recoverable(0)])
    await client.hset(keyOf('meta'), 'offset', '100000000000001')
    const { results } = await publish([recoverable(1), recoverable(2, { id: 'x' }), recoverable(3)])
    expect(results).toMatchObject([
      { offset: 100_000_000_000_002 },
      { offset: 100_000_000_000_003 },
      { offset: 100_000_000_000_004 },
    ])
    const again = await publish([recoverable(2, { id: 'x' })])
    expect(again.results).toEqual([results[1]])
    const [first] = results
    if (first === null || typeof first !== 'object') throw new Error('not kept')
    const { head, publications } = await log.after(ROOM, ROOMY, first, 'x')
    expect(publications.map(({ position }) => position)).toEqual(results.slice(1))
    expect(head).toEqual(results[2])
  })

  it('refuses one publication of a batch and keeps the others', async () => {
    const { publish, read } = await setUp()
    const room = withHistory({ bytes: 10 })
    const texts = ['', 'x'.repeat(9), 'x'.repeat(8)].map((text) => recoverable(text))
    expect((await publish(texts, room)).results).toMatchObject([{ offset: 1 }, 'TOO_LARGE', { offset: 2 }])
    // The last one takes all of the history's bytes.
    expect((await read(room)).publications.map(({ payload }) => payload)).toEqual(['"xxxxxxxx"'])
  })

  it('writes also where all ids are known, so that a WAIT covers them', async () => {
    const { client, publish } = await setUp()
    const batch = [recoverable(1, { id: 'a' }), latest('k', 1, { id: 'b' })]
    const first = await publish(batch)
    const dirty = async () =>
      Number(/rdb_changes_since_last_save:(\d+)/.exec(await client.info('persistence'))?.[1])
    const before = await dirty()
    const second = await publish(batch)
    expect(second).toEqual(first)
    expect(await dirty()).toBeGreaterThan(before)
  })

  it('trims from a sixteenth beyond the history on, by few looks, and shows no reader what is beyond', async () => {
    const { redis, clock, log, publish, read } = await setUp()
    const room = withHistory({ messages: 16_000, seconds: 60, bytes: 20_000 })
    const looks = async (act: () => Promise<unknown>) => {
      const before = await callsOf(redis, 'xrange')
      await act()
      return (await callsOf(redis, 'xrange')) - before
    }
    const many = (count: number) => Array.from({ length: count }, () => recoverable(0))
    for (let i = 0; i < 17; i++) {
      expect(await looks(() => publish(many(1000), room))).toBe(0)
      clock.ms += 1000
    }
    expect(await redis.client.xlen(keyOf('log'))).toBe(17_000)
    expect(await oldestOf(redis)).toBe('1')
    expect(await looks(() => publish(many(1), room))).toBe(1)
    expect(await redis.client.xlen(keyOf('log'))).toBe(16_000)
    expect(await oldestOf(redis)).toBe('1002')
    // Of the first 11 of 17 seconds nothing is left, which a search finds by halves.
    clock.ms += 54_000
    expect(await looks(() => publish(many(1), room))).toBeLessThanOrEqual(32)
    expect(await redis.client.xlen(keyOf('log'))).toBe(6002)
    // A second on, 1,000 more are too old: a publish leaves them, a reader does not see them.
    clock.ms += 1000
    await publish(many(1), room)
    expect(await redis.client.xlen(keyOf('log'))).toBe(6003)
    await read(room)
    expect(await redis.client.xlen(keyOf('log'))).toBe(5003)
    // What was trimmed counts for nothing: 22,003 bytes were published, 10,003 are kept.
    expect(await looks(() => publish(many(5000), room))).toBe(0)
    // Who fills a hole is a reader too.
    clock.ms += 1000
    const { epoch } = await publish([], room)
    expect((await log.after(ROOM, room, { epoch, offset: 1, tag: 0 }, 'unused')).gap).toBe('trimmed')
    expect(await redis.client.xlen(keyOf('log'))).toBe(9003)
  })

  it('changes nothing where Redis is out of memory, and reads go on', async () => {
    const { redis, client, publish, read } = await setUp()
    await publish([recoverable(1), latest('a', 1)])
    const before = await read()
    await redis.heard(liveChannel('test', ROOM))
    await client.config('SET', 'maxmemory', '1')
    const batch = [recoverable(2, { id: 'x' }), latest('a', 2), volatile(3)]
    const error = await refusal(publish(batch))
    expect([error.code, error.retry, String(error.cause)]).toEqual([
      'UNAVAILABLE',
      true,
      expect.stringContaining('OOM'),
    ])
    expect(await read()).toEqual(before)
    expect(await redis.heard(liveChannel('test', ROOM))).toEqual([])
    await refusal(new RedisLog(redis).read('/chat another', ROOMY, reader, 'epoch'))
    await client.config('SET', 'maxmemory', '0')
    expect(await client.dbsize()).toBe(PARTS.length)
    expect((await publish(batch)).results).toMatchObject([{ offset: 2 }, null, null])
  })

  it('goes by the clock of the server', async () => {
    const { redis, client } = await setUp()
    const log = new RedisLog(redis)
    const [before = 0] = await client.time()
    await log.publish(ROOM, ROOMY, [recoverable(1), latest('a', 1)], 'epoch')
    const [after = 0] = await client.time()
    const [entry] = await client.xrange(keyOf('log'), '-', '+')
    const at = Number(entry?.[1][9]) / 1000
    expect(at).toBeGreaterThanOrEqual(Number(before))
    expect(at).toBeLessThan(Number(after) + 1)
    const { version } = await log.head(ROOM, ROOMY, 'epoch')
    await client.flushall()
    // Another life of the room gives out no version of the first.
    const next = await log.publish(ROOM, ROOMY, [latest('a', 1)], 'epoch 2')
    expect(next.version).toBeGreaterThan(version)
  })
})

describeWithRedis('the bounds of a room in Redis', () => {
  it('are so many publications of one recovery', async () => {
    const { log, publish } = await setUp()
    const { results } = await publish(Array.from({ length: RECOVERY_MESSAGES + 2 }, () => recoverable(0)))
    for (const [missed, gap] of [
      [RECOVERY_MESSAGES, undefined],
      [RECOVERY_MESSAGES + 1, 'tooMany'],
    ] as const) {
      const since = results.at(-1 - missed)
      if (since === null || typeof since !== 'object') throw new Error('not kept')
      const snapshot = await log.read(ROOM, ROOMY, { since, session: 'nobody' }, 'unused')
      expect([snapshot.gap, snapshot.publications.length]).toEqual([gap, gap === undefined ? missed : 0])
    }
  })

  it('are so many bytes of a page, but one publication at least', async () => {
    const { log, publish } = await setUp()
    const sizes = [RECOVERY_BYTES / 2, RECOVERY_BYTES / 2, RECOVERY_BYTES + 1, 1, 1]
    const { epoch } = await publish(sizes.map((size) => recoverable('x'.repeat(Math.max(0, size - 2)))))
    const pages: number[] = []
    let at: Position | undefined = { epoch, offset: 0, tag: 0 }
    while (at !== undefined) {
      const { publications, more } = await log.after(ROOM, ROOMY, at, 'unused')
      pages.push(publications.length)
      at = more ? publications.at(-1)?.position : undefined
    }
    expect(pages).toEqual([2, 1, 2])
  })

  it('are so many latest values, the longest unchanged dropped first', async () => {
    const { client, log, publish } = await setUp()
    for (let from = 0; from < LATEST_KEYS + 1000; from += 1000) {
      await publish(Array.from({ length: 1000 }, (_, index) => latest(`${from + index}`, 1)))
    }
    await publish([latest('1000', 2), latest('new', 1)])
    const { publications } = await log.latestSince(ROOM, 0)
    const keys = publications.map(({ latestKey }) => latestKey)
    expect([keys.length, keys[0], keys.slice(-2)]).toEqual([LATEST_KEYS, '1002', ['1000', 'new']])
    // And the entry that keeps the key, in each.
    expect([await client.hlen(keyOf('latest')), await client.zcard(keyOf('order'))]).toEqual([
      LATEST_KEYS + 1,
      LATEST_KEYS + 1,
    ])
  })

  it('are so many publish ids, the oldest forgotten before their time', async () => {
    const { client, publish } = await setUp()
    const fill = async (half: string, count: number) => {
      for (let from = 0; from < count; from += 10_000) {
        const ids = Array.from({ length: Math.min(10_000, count - from) }, (_, index) => [
          `${half} ${from + index}`,
          '-',
        ])
        await client.hset(keyOf(half), ...ids.flat())
      }
    }
    const isKnown = async (id: string) => {
      const { version } = await publish([], NO_HISTORY)
      return version === (await publish([latest('a', 1, { id })], NO_HISTORY)).version
    }
    expect([await isKnown('first'), await isKnown('first')]).toEqual([false, true])
    // One short of the bound: the next one still goes beside them.
    await fill('ids0', PUBLISH_IDS - 2)
    expect([await isKnown('last of the first half'), await client.hlen(keyOf('ids1'))]).toEqual([false, 1])
    expect([await isKnown('second half'), await client.hlen(keyOf('ids1'))]).toEqual([false, 2])
    const expiries = await Promise.all(PARTS.map((part) => client.pexpiretime(keyOf(part))))
    expect(new Set(expiries).size).toBe(1)
    expect(await isKnown('first')).toBe(true)
    await fill('ids1', PUBLISH_IDS - 1)
    expect([await isKnown('third half'), await client.hlen(keyOf('ids0'))]).toEqual([false, 2])
    expect([await isKnown('second half'), await isKnown('first')]).toEqual([true, false])
  })
})
