import { setImmediate } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { createClock, type TestClock } from '../../client/testing/index.js'
import { FakeRedis, redisNode } from './support/hub.js'

/** Two nodes that know each other; time passes in steps of half a second. */
async function two() {
  const [redis, clock] = [new FakeRedis(), createClock()]
  const [a, b] = [redisNode('a', redis, clock), redisNode('b', redis, clock)]
  const events: string[] = []
  a.cluster.onNode((event, node) => void events.push(`${event} ${node}`))
  b.cluster.onGeneration((generation) => void events.push(`b is in generation ${generation}`))
  await a.cluster.start()
  await b.cluster.start()
  return { redis, clock, a, b, events, pass: (ms: number) => pass(clock, ms) }
}

async function pass(clock: TestClock, ms: number): Promise<void> {
  for (let i = 0; i < ms; i += 500) {
    clock.advance(500)
    for (let k = 0; k < 3; k++) await setImmediate()
  }
}

it('costs one script every 2 s for each node', async () => {
  const { redis, pass, events } = await two()
  const before = redis.runs
  await pass(60_000)
  expect([redis.runs - before, events]).toEqual([60, ['joined b']])
})

it('a node that cannot be heard is lost after 15 s, cleared, and comes back in the next generation', async () => {
  const { redis, b, a, events, pass } = await two()
  b.hub.set('down')
  await pass(12_000)
  expect([events, a.cluster.isAlive('b', 1)]).toEqual([['joined b'], true])
  await pass(6000)
  expect(events).toEqual(['joined b', 'lost b'])
  expect([a.cluster.isAlive('b'), [...redis.leases.keys()], b.cluster.generation]).toEqual([false, ['a'], 2])
  await pass(60_000)
  b.hub.set('up')
  await pass(4000)
  expect(events).toEqual(['joined b', 'lost b', 'b is in generation 2', 'joined b'])
  expect([a.cluster.isAlive('b', 1), a.cluster.isAlive('b', 2)]).toEqual([false, true])
  expect(b.cluster.nodes()).toHaveLength(2)
})

it('a node gives up its generation before anybody writes it off', async () => {
  const { b, events, pass, a } = await two()
  b.hub.set('down')
  await pass(13_000)
  b.hub.set('up')
  await pass(2500)
  expect(events).toEqual(['joined b', 'b is in generation 2'])
  expect([a.cluster.isAlive('b', 1), a.cluster.isAlive('b', 2)]).toEqual([false, true])
})

it('nobody is lost while Redis is away, nor for 15 s after it', async () => {
  const { a, b, events, pass } = await two()
  a.hub.set('down')
  b.hub.set('down')
  await pass(60_000)
  expect([a.cluster.isAlive('b'), a.cluster.nodes().length]).toEqual([true, 2])
  a.hub.set('up')
  await pass(14_000)
  expect(events).toEqual(['joined b'])
  await pass(3000)
  expect(events).toEqual(['joined b', 'lost b'])
})

it('a node that slept writes nobody off when it wakes', async () => {
  const { clock, a, events, pass } = await two()
  clock.sleep(60_000)
  await pass(6000)
  // All of them slept: each takes its next generation.
  expect(events).toEqual(['joined b', 'b is in generation 2'])
  expect(a.cluster.generation).toBe(2)
})

it('a generation that was cleared elsewhere is given up once', async () => {
  const { b, events, pass } = await two()
  b.cluster.giveUp(1)
  b.cluster.giveUp(1)
  b.cluster.giveUp(7)
  await pass(2500)
  expect([events, b.cluster.generation]).toEqual([['joined b', 'b is in generation 2'], 2])
})

it('is told of again while it cannot be cleared', async () => {
  const { a, b, redis, pass, events } = await two()
  let fails = 2
  a.cluster.onNode(async (event) => {
    if (event === 'lost' && fails-- > 0) throw new Error('not now')
  })
  b.hub.set('down')
  await pass(52_000)
  expect(events).toEqual(['joined b', 'lost b', 'lost b', 'lost b'])
  expect([a.errors.length, redis.leases.has('b')]).toEqual([2, false])
})

it('that left, or whose lease is gone, is told of again as well while it cannot be cleared', async () => {
  const { a, b, redis, pass, events } = await two()
  let fails = 2
  a.cluster.onNode(async (event) => {
    if (event !== 'joined' && fails-- > 0) throw new Error('not now')
  })
  await b.cluster.close()
  await pass(60_000)
  expect(events).toEqual(['joined b', 'left b', 'lost b', 'lost b'])
  expect([a.errors.length, a.cluster.nodes().length]).toEqual([2, 1])

  const c = redisNode('c', redis, createClock())
  await c.cluster.start()
  await pass(2000)
  redis.leases.clear()
  fails = 1
  await pass(60_000)
  expect(events.slice(4)).toEqual(['joined c', 'lost c', 'lost c'])
  expect(redis.leases.has('c')).toBe(false)
})

it('says good-bye within a second, whether or not Redis answers', async () => {
  const { a, b, redis, clock, events } = await two()
  await b.cluster.close()
  expect([events, [...redis.leases.keys()]]).toEqual([['joined b', 'left b'], ['a']])
  a.hub.isMute = true
  let isClosed = false
  const closing = a.cluster.close().then(() => {
    isClosed = true
  })
  clock.advance(999)
  await setImmediate()
  expect(isClosed).toBe(false)
  clock.advance(1)
  await closing
  expect(clock.pending).toBe(0)
})
