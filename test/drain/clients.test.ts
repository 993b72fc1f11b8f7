import { afterEach, describe, expect, it, onTestFinished } from 'vitest'
import { WebSocket } from 'ws'
import { createClient } from '../../client/index.js'
import { createClock } from '../../client/testing/clock.js'
import { ackord, namespace } from '../../plugins/index.js'
import { eventually, listen, makeApp } from '../gateway/support.js'
import { abortAll, connect } from '../support/raw-client.js'
import { type Calls, contract, descriptor } from './contract.js'
import { GRACE, settle } from './support.js'

afterEach(abortAll)

/** The contract, with a stream that yields when it is told to. */
async function serve() {
  const clock = createClock()
  const { app } = makeApp()
  const yields: Array<(end: boolean) => void> = []
  const log: string[] = []
  const live = namespace(contract, { path: '/live', authenticate: 'none' })
  await app.register(ackord, { clock, grace: GRACE, random: () => 0.5 })
  const done = () => ({ node: 'here' })
  await app.register(
    live.plugin({
      calls: {
        attempt: done,
        repeat: done,
        once: done,
        count: async function* () {
          try {
            for (let n = 0; ; n++) {
              if (await new Promise<boolean>((resolve) => yields.push(resolve))) return done()
              yield { n }
            }
          } finally {
            log.push('finally')
          }
        },
      },
      rooms: { hall: { join: () => true } },
    }),
  )
  const url = `ws://127.0.0.1:${await listen(app)}/live`
  return {
    app,
    clock,
    url,
    log,
    gateway: app.ackordGateway.gateway,
    /** Ends what the stream waits for. */
    go: (end = false) => yields.shift()?.(end),
    /** A stream under way. */
    async stream(features: readonly string[]) {
      const client = await connect(url)
      client.send([1, 'session', contract.hash, '1.0.0', features])
      await client.next(17)
      client.send([2, 1, 'count', { id: 'x', items: 1, ms: 0 }])
      client.send([4, 1, 100])
      await eventually(() => expect(yields).toHaveLength(1))
      return client
    },
  }
}

describe('a drain', () => {
  for (const features of [[], ['goaway']]) {
    const whose = features.length > 0 ? 'of a client that knows GOAWAY' : 'of one that does not'
    it(`lets a stream end ${whose}`, async () => {
      const server = await serve()
      const client = await server.stream(features)
      const closed = server.app.close()
      await settle()
      server.go()
      expect(await client.next(20)).toEqual([20, 1, { n: 0 }])
      await settle()
      server.go(true)
      expect(await client.next(18)).toEqual([18, 1, { node: 'here' }])
      if (features.length > 0) client.close(4004)
      expect((await client.closed()).code).toBe(features.length > 0 ? 4004 : 1012)
      await closed
      expect(server.clock.now()).toBe(0)
    })

    it(`ends with the connection, when the time of the clients is over, a stream ${whose}`, async () => {
      const server = await serve()
      const client = await server.stream(features)
      const closed = server.app.close()
      await settle()
      server.clock.advance(0.8 * GRACE - 1)
      await settle()
      expect(server.gateway.sockets.size).toBe(1)
      server.clock.advance(1)
      expect((await client.closed()).code).toBe(1012)
      await closed
      server.go()
      await eventually(() => expect(server.log).toEqual(['finally']))
    })
  }

  it('turns a client away whose HELLO is under way, and none of its calls has run or is lost', async () => {
    const clock = createClock()
    const { app } = makeApp()
    let asked = false
    const ran: string[] = []
    const work = ({ id }: { id: string }) => {
      ran.push(id)
      return { node: 'here' }
    }
    const live = namespace(contract, {
      path: '/live',
      authenticate: () => {
        asked = true
        return new Promise<never>(() => {})
      },
    })
    await app.register(ackord, { clock, grace: GRACE })
    await app.register(
      live.plugin({
        calls: { attempt: work, repeat: work, once: work, count: async function* () {} as never },
        rooms: { hall: { join: () => true } },
      }),
    )
    const client = createClient<Calls, object, object>(
      descriptor,
      `ws://127.0.0.1:${await listen(app)}/live`,
      { WebSocket, token: () => 'ann' },
    )
    onTestFinished(() => client.close())
    const attempt = client.calls.attempt.result({ id: 'a', ms: 0 })
    const once = client.calls.once.result({ id: 'b', ms: 0 })
    await eventually(() => expect(asked).toBe(true))
    await app.close()
    expect(await attempt).toMatchObject({ ok: false, error: { code: 'OFFLINE' } })
    expect([client.outbox.size, ran]).toEqual([1, []])
    client.close()
    expect(await once).toMatchObject({ ok: false, error: { code: 'CLOSED' } })
  })

  it('of a lone server does not wait for a generated client that has nowhere else to go', async () => {
    const server = await serve()
    const client = createClient(descriptor, server.url, { WebSocket })
    onTestFinished(() => client.close())
    client.connection.connect()
    await eventually(() => expect(client.connection.state).toBe('open'))
    const closed = server.app.close()
    await eventually(() => expect(server.gateway.counters.refused.read()).toMatchObject({ CLOSING: 1 }))
    const answered = () =>
      eventually(() => expect([...server.gateway.sockets].map(({ beats }) => beats)).toEqual([0]))
    await answered()
    // The second probe.
    server.clock.advance(100)
    await settle()
    await answered()
    server.clock.advance(200)
    await eventually(() => expect(client.connection.state).toBe('waiting'))
    await closed
    expect(server.clock.now()).toBe(300)
  })
})
