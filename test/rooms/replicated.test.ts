import { expect, it, onTestFinished } from 'vitest'
import { serverClock } from '../../contract/server-clock.js'
import type { RedisConnection, RedisHub, Script } from '../../plugins/redis/index.js'
import type { Position } from '../../plugins/rooms/broker.js'
import { RedisBroker } from '../../plugins/rooms/broker-redis.js'
import { ReplicatedScripts } from '../../plugins/rooms/redis/replicated.js'
import {
  listen,
  offsetsOf,
  payloadsOf,
  range,
  readAs,
  recoverable,
  volatile,
} from '../conformance/broker-support.js'
import { describeWithRedis, openHub } from '../support/redis.js'
import { until } from '../support/until.js'
import { startPair } from './pair.js'

const LOG = { history: { messages: 10_000, seconds: 600, bytes: 16_777_216 }, replicas: 1 }
const TWO = { ...LOG, replicas: 2 }

async function start() {
  const pair = await startPair()
  const errors: unknown[] = []
  const hub = await openHub(pair.control.primary)
  const onError = (error: unknown): void => void errors.push(error)
  const broker = new RedisBroker({ hub, clock: serverClock, onError })
  onTestFinished(() => broker.close())
  return { ...pair, broker, errors }
}

describeWithRedis('a room whose publications must be replicated', () => {
  it('answers when so many replicas have it, and is UNAVAILABLE where there are fewer', async () => {
    const { broker, control } = await start()
    expect((await broker.publish('room', LOG, recoverable(1)))?.offset).toBe(1)
    expect(await control.replica.xlen('ackord:{room}:log')).toBe(1)
    await expect(broker.publish('room', TWO, recoverable(2))).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      retry: true,
    })
  })

  it('is UNAVAILABLE while the replica is stopped; the same id again is then answered with its first position, once in the log', async () => {
    const { broker, replica, errors } = await start()
    const listener = await listen(broker, 'room', LOG)
    await broker.publish('room', LOG, recoverable('before'))
    replica.freeze()
    onTestFinished(() => replica.resume())
    const publish = () => broker.publish('room', LOG, recoverable('kept', { id: 'one' }))
    await expect(publish()).rejects.toMatchObject({ code: 'UNAVAILABLE', retry: true })
    // It is there, but nothing says that it stays: a hit on its id must wait for the replica, too.
    await expect(publish()).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    replica.resume()
    expect((await publish())?.offset).toBe(2)
    expect(payloadsOf(await listener.caughtUp())).toEqual(['before', 'kept'])
    expect(errors).toEqual([])
  })

  it('publishes once what was under way when its connection was lost, again and again', async () => {
    const { broker, control } = await start()
    const listener = await listen(broker, 'room', LOG)
    const count = 300
    const writers = 10
    const publish = async (n: number): Promise<Position> => {
      const outgoing = recoverable(n, { id: `id ${n}` })
      const position = await broker.publish('room', LOG, outgoing).catch(() => undefined)
      return position ?? publish(n)
    }
    const positions: Position[] = []
    const write = async (first: number): Promise<void> => {
      for (let n = first; n <= count; n += writers) positions.push(await publish(n))
    }
    let cuts = 0
    let over = false
    const done = Promise.all(range(1, writers).map(write)).finally(() => {
      over = true
    })
    for (; !over; cuts++) {
      // All but the one that says so; while it is away nothing can be published.
      await control.primary.call('client', ['KILL', 'TYPE', 'normal', 'SKIPME', 'yes'])
      const written = positions.length
      await until(() => over || positions.length > written + 20)
    }
    await done
    expect(cuts).toBeGreaterThan(5)
    const { publications } = await readAs(broker, 'room', LOG, { last: 1000 })
    expect(offsetsOf(publications)).toEqual(range(1, count))
    expect(new Set(payloadsOf(publications))).toEqual(new Set(range(1, count)))
    expect(positions.map(({ offset }) => offset).sort((a, b) => a - b)).toEqual(range(1, count))
    await listener.count(count)
    expect(offsetsOf(listener.received)).toEqual(range(1, count))
  }, 60_000)

  it('hands volatile publications on once, also where the others of their turn run again', async () => {
    const { broker, control, replica } = await start()
    const listener = await listen(broker, 'room', LOG)
    replica.freeze()
    onTestFinished(() => replica.resume())
    const turn = [volatile(1), recoverable(2), volatile(3), volatile(4), recoverable(5)]
    const published = Promise.all(turn.map((each) => broker.publish('room', LOG, each)))
    await listener.count(2)
    await control.primary.call('client', ['KILL', 'TYPE', 'normal', 'SKIPME', 'yes'])
    replica.resume()
    await published
    expect(payloadsOf(await listener.caughtUp())).toEqual([1, 2, 3, 4, 5])
  })

  it('does not wait long behind others that wait for replicas', async () => {
    const { broker, replica } = await start()
    await broker.publish('room', LOG, recoverable(1))
    replica.freeze()
    onTestFinished(() => replica.resume())
    // One group after the other is short of replicas, each for a second: in all they would take ten.
    const begun = serverClock.now()
    const refused = await Promise.allSettled(
      range(1, 640).map((n) => broker.publish(`room ${n}`, LOG, recoverable(n))),
    )
    expect(serverClock.now() - begun).toBeLessThan(6000)
    expect(refused.every(({ status }) => status === 'rejected')).toBe(true)
    replica.resume()
    expect((await broker.publish('room', LOG, recoverable(2)))?.offset).toBe(2)
  })

  it('survives the loss of the primary with everything that was answered', async () => {
    const { broker, control, primary, settled } = await start()
    await settled()
    const answered = await Promise.all(
      range(1, 200).map((n) => broker.publish('room', LOG, recoverable(n)).catch(() => undefined)),
    )
    await primary.kill()
    await control.replica.replicaof('NO', 'ONE')
    const entries = (await control.replica.xrange('ackord:{room}:log', '-', '+')).length
    expect(answered.filter((position) => position !== undefined)).toHaveLength(200)
    expect(entries).toBe(200)
  })
})

it('a connection that leads to a server which is no primary any more is given up', async () => {
  const moved = Object.assign(new Error('MOVED 1 127.0.0.1:2'), { name: 'ReplyError' })
  let opened = 0
  const open = (): RedisConnection => {
    const isFirst = ++opened === 1
    return {
      status: 'ready',
      connect: async () => undefined,
      disconnect: () => undefined,
      call: async (command: string) => {
        if (command === 'wait') return 1
        if (isFirst) throw moved
        return 'done'
      },
      callBuffer: async () => undefined,
      on: () => undefined,
    }
  }
  const hub = {
    prefix: 'p',
    isCluster: true,
    masterOf: () => 'a primary',
    openTo: open,
  } as unknown as RedisHub
  const script: Script = { source: '', digest: '', run: (send) => send('evalsha', []) }
  const scripts = new ReplicatedScripts(hub, serverClock, 1)
  await expect(scripts.run(script, ['key'], [])).rejects.toMatchObject({ code: 'UNAVAILABLE' })
  expect(await scripts.run(script, ['key'], [])).toBe('done')
})
