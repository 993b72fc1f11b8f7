import { expect, it, onTestFinished } from 'vitest'
import { serverClock } from '../../contract/server-clock.js'
import type { Position } from '../../plugins/rooms/broker.js'
import { RedisBroker } from '../../plugins/rooms/broker-redis.js'
import { listen, offsetsOf, payloadsOf, range, readAs, recoverable } from '../conformance/broker-support.js'
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
