import { expect, it } from 'vitest'
import { createClock } from '../../client/testing/index.js'
import { serverClock } from '../../contract/server-clock.js'
import { MemoryBuckets } from '../../plugins/rate-limit/memory.js'
import { SharedBuckets } from '../../plugins/rate-limit/shared.js'
import { RedisLink, type RedisValue, Script, script } from '../../plugins/redis/index.js'
import { describeWithRedis, openHub, startRedis } from '../support/redis.js'
import { quietLog, rateOf, seeded } from './support.js'

describeWithRedis('buckets in Redis', () => {
  const setUp = async () => {
    const redis = await startRedis()
    const client = await redis.connect()
    const hub = await openHub(client)
    const link = new RedisLink(hub, serverClock, quietLog().log, { away: 'away', back: 'back' })
    return { redis, client, shared: new SharedBuckets(link, 'ackord') }
  }

  it('let in exactly max of many that come at once', async () => {
    const { shared } = await setUp()
    const rate = rateOf(20, 3600)
    const waits = await Promise.all(Array.from({ length: 200 }, () => shared.take(rate, 'ann')))
    expect(waits.filter((wait) => wait === 0)).toHaveLength(20)
    const refused = waits.filter((wait) => wait !== 0)
    for (const wait of refused) {
      expect(wait).toBeGreaterThan(0)
      expect(wait).toBeLessThanOrEqual(rate.every)
    }
    expect(await shared.take(rate, 'ben')).toBe(0)
  })

  it('take back what is given back, and leave no key behind that is full', async () => {
    const { shared, client } = await setUp()
    const rate = rateOf(2, 3600)
    await shared.take(rate, 'ann')
    expect(await client.keys('*')).toEqual(['ackord:limit:test:2/3600:ann'])
    shared.giveBack(rate, 'ann')
    expect(await client.exists('ackord:limit:test:2/3600:ann')).toBe(0)
    for (let i = 0; i < 3; i++) await shared.take(rate, 'ann')
    shared.giveBack(rate, 'ann')
    expect(await shared.take(rate, 'ann')).toBe(0)
    expect(await shared.take(rate, 'ann')).toBeGreaterThan(0)
  })

  it('expire by themselves when they are full', async () => {
    const { shared, client } = await setUp()
    await shared.take(rateOf(10, 3600), 'ann')
    const ttl = await client.pttl('ackord:limit:test:10/3600:ann')
    expect(ttl).toBeGreaterThan(0)
    expect(ttl).toBeLessThanOrEqual(360_000)
    await shared.take(rateOf(1, 1), 'ann')
    expect(await client.pttl('ackord:limit:test:1/1:ann')).toBeLessThanOrEqual(1000)
  })

  it('make nobody wait longer than an empty bucket does, where the clock of Redis went back', async () => {
    const { shared, client } = await setUp()
    const rate = rateOf(5, 10)
    const future = (Date.now() + 3_600_000) * 1000
    await client.set('ackord:limit:test:5/10:ann', String(future))
    const wait = await shared.take(rate, 'ann')
    expect(wait).toBe(rate.every)
  })

  it('come back after the server forgot the script', async () => {
    const { shared, client } = await setUp()
    const rate = rateOf(2, 3600)
    expect(await shared.take(rate, 'ann')).toBe(0)
    await client.script('FLUSH')
    expect(await shared.take(rate, 'ann')).toBe(0)
    expect(await shared.take(rate, 'ann')).toBeGreaterThan(0)
  })

  it('do the same sums as those in memory, for random limits and waits', async () => {
    const { client } = await setUp()
    // Redis with a clock that the test moves: the same script, told the time.
    const { source } = script('take')
    const take = new Script(source.replace("redis.call('TIME')", 'cjson.decode(ARGV[4])'))
    const send = (command: string, args: RedisValue[]) => client.call(command, args)
    const random = seeded(11)
    let refused = 0
    for (let round = 0; round < 20; round++) {
      const clock = createClock()
      const start = Math.floor(clock.now() * 1000)
      const rate = rateOf(1 + random(50), 1 + random(100))
      const memory = new MemoryBuckets(rate, clock)
      // The key must outlive its time by the test's clock, which runs faster than the server's.
      const epoch = 1_800_000_000 + round * 1_000_000
      const replies: unknown[] = []
      const expected: unknown[] = []
      for (let i = 0; i < 60; i++) {
        clock.advance(random(Math.ceil(rate.every / 1000)))
        const elapsed = Math.floor(clock.now() * 1000) - start
        const time = JSON.stringify([epoch + Math.floor(elapsed / 1e6), elapsed % 1e6])
        const back = random(10) === 0
        replies.push(await take.run(send, [`k${round}`], [rate.every, rate.burst, back ? -1 : 1, time]))
        await client.persist(`k${round}`)
        if (back) memory.giveBack('k')
        expected.push(back ? 0 : memory.take('k'))
      }
      expect([round, replies]).toEqual([round, expected])
      refused += replies.filter((reply) => reply !== 0).length
    }
    expect(refused).toBeGreaterThan(20)
  })
})
