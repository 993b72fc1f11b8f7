import { expect, it, onTestFinished } from 'vitest'
import { serverClock } from '../../contract/server-clock.js'
import { RedisBroker } from '../../plugins/rooms/broker-redis.js'
import {
  latest,
  listen,
  payloadsOf,
  plain,
  ROOMY,
  range,
  recoverable,
  volatile,
} from '../conformance/broker-support.js'
import { describeWithRedis, openHub, startRedis } from '../support/redis.js'
import { until } from '../support/until.js'

async function start() {
  const server = await startRedis()
  const hub = await openHub(await server.connect())
  const broker = new RedisBroker({
    hub,
    clock: serverClock,
    onError: (error) => {
      throw error
    },
  })
  onTestFinished(() => broker.close())
  return { server, hub, broker }
}

describeWithRedis('the broker of several nodes', () => {
  it('hands a volatile publication on at most once, where nobody knows whether Redis got it', async () => {
    const { server, hub, broker } = await start()
    const listener = await listen(broker, 'room', ROOMY)
    server.freeze()
    onTestFinished(() => server.resume())
    await broker.publish('room', ROOMY, volatile('sent'))
    // Now it is known to be away: nothing is sent.
    await broker.publish('room', ROOMY, volatile('local'))
    expect(payloadsOf(listener.received)).toEqual(['local'])
    server.resume()
    await until(() => hub.isUp)
    await broker.publish('room', ROOMY, recoverable('last'))
    expect(payloadsOf(await listener.caughtUp()).sort()).toEqual(['last', 'local', 'sent'])
  })

  it('reads little for many who join at once, and gives each what is for them', async () => {
    const { server, broker } = await start()
    const control = await server.connect()
    await listen(broker, 'room', ROOMY)
    const text = 'x'.repeat(100)
    await Promise.all([
      ...range(1, 2000).map((n) => broker.publish('room', ROOMY, latest(`${n}`, text))),
      broker.publish('room', ROOMY, latest('not for 7', text, { except: '7' })),
      ...range(1, 20).map((n) => broker.publish('room', ROOMY, recoverable(n, { except: `${n}` }))),
    ])
    await control.config('RESETSTAT')
    const sessions = range(1, 500).map(String)
    const from = { last: 10 }
    const all = await Promise.all(sessions.map((session) => broker.read('room', ROOMY, { ...from, session })))
    // Two for those who may see all, and one for each of those who may not.
    expect(await control.info('commandstats')).toMatch(/cmdstat_evalsha:calls=13,/)
    for (const index of [0, 6, 14, 499]) {
      const alone = await broker.read('room', ROOMY, { ...from, session: sessions[index] ?? '' })
      const read = all[index]
      expect(read?.publications.map(plain)).toEqual(alone.publications.map(plain))
      expect(read?.latest.map(plain)).toEqual(alone.latest.map(plain))
      expect(read?.publications).toHaveLength(10)
    }
    expect(all.map((read) => read.latest.length)).toEqual(sessions.map((id) => (id === '7' ? 2000 : 2001)))
  })
})
