import { connect as connectTcp } from 'node:net'
import { afterEach, describe, expect, it, onTestFinished } from 'vitest'
import { createClock } from '../../client/testing/clock.js'
import { ackord, namespace } from '../../plugins/index.js'
import { connectBytes, upgradeRequest, wsFrame } from '../support/raw-bytes.js'
import { abortAll, connect, type RawClient } from '../support/raw-client.js'
import { contract, type ServerOptions, startServer, type TestServer } from '../support/server.js'
import { eventually, hello, listen, makeApp, mountTiny, roundTrip, socketsOf, tiny } from './support.js'

afterEach(abortAll)

const GRACE = 5000
/** The answer to an upgrade meanwhile. */
const CLOSING =
  /^HTTP\/1\.1 503 .*\r\nRetry-After: 1\r\n.*\r\n\r\n\{"statusCode":503,"code":"CLOSING","message":"[^"]+","retryAfter":1\}$/is

/** A server whose time stands still, and `close`, which begins to close it and tells whether that is done. */
async function serve(options: ServerOptions = {}) {
  const clock = createClock()
  const server = await startServer({ clock, grace: GRACE, ...options })
  async function close() {
    let done = false
    const closed = server.app.close().then(() => {
      done = true
    })
    await eventually(() => expect(server.gateway.closing).toBe(true))
    return { closed, isDone: () => done }
  }
  return { clock, close, ...server }
}

async function expectNothingLeft({ app, gateway }: Pick<TestServer, 'app' | 'gateway'>): Promise<void> {
  // The WebSocket of a socket that was cut learns of it a few turns later.
  await eventually(() => {
    expect([gateway.upgrades.size, gateway.handshakes.size, gateway.sockets.size]).toEqual([0, 0, 0])
  })
  expect([...gateway.paths.values()].map(({ connections }) => connections.size)).toEqual([0])
  expect(app.server.listenerCount('upgrade')).toBe(0)
  expect(app.server.listening).toBe(false)
  expect(await socketsOf(app)).toBe(0)
}

/** HELLO has been said; the server has not answered. */
const openingOf = ({ gateway }: Pick<TestServer, 'gateway'>) => [...gateway.sockets].map(({ phase }) => phase)

describe('app.close()', () => {
  it('tells idle connections 1012 and needs no time', async () => {
    const server = await serve()
    const clients = [await server.enter('ann'), await server.enter('ben'), await server.enter('ann')]
    await server.app.close()
    for (const client of clients)
      expect(await client.closed()).toEqual({ code: 1012, reason: 'server restarts' })
    await expectNothingLeft(server)
    expect(server.clock.now()).toBe(0)
    expect(server.clock.pending).toBe(0)
    expect(server.lines.filter(({ level }) => Number(level) >= 40)).toEqual([])
  })

  it('lets calls in flight answer first, and those that come behind them; who has none goes at once', async () => {
    const server = await serve()
    const [busy, idle] = [await server.enter('ann'), await server.enter('ben')]
    busy.send([2, 1, 'wait', { name: 'w' }])
    await eventually(() => expect(server.probe.log).toEqual(['wait w']))
    const { closed, isDone } = await server.close()
    expect((await idle.closed()).code).toBe(1012)
    busy.send([2, 2, 'echo', { text: 'meanwhile' }])
    expect(await busy.next(18)).toEqual([18, 2, { text: 'meanwhile' }])
    expect(isDone()).toBe(false)
    server.probe.release('w')
    expect(await busy.next(18)).toEqual([18, 1, null])
    expect((await busy.closed()).code).toBe(1012)
    await closed
    await expectNothingLeft(server)
  })

  it('ends within its grace where a handler never returns', async () => {
    const server = await serve()
    const client = await server.enter('ann')
    client.send([2, 1, 'wait', { name: 'for ever' }])
    await eventually(() => expect(server.probe.log).toEqual(['wait for ever']))
    const { closed, isDone } = await server.close()
    server.clock.advance(GRACE / 2)
    await client.ping()
    expect([isDone(), server.probe.signals.get('for ever')?.aborted]).toEqual([false, false])
    server.clock.advance(GRACE / 2)
    await closed
    expect((await client.closed()).code).toBe(1012)
    expect(server.probe.signals.get('for ever')?.aborted).toBe(true)
    await expectNothingLeft(server)
  })

  it('ends within its grace with peers that neither read nor answer, and with handlers that never return', async () => {
    const server = await serve()
    const mute: RawClient[] = []
    for (let n = 0; n < 10; n++) {
      const client = await server.enter(`user${n}`)
      if (n % 2 === 0) client.send([2, 1, 'wait', { name: `${n}` }])
      await client.ping()
      client.pause()
      mute.push(client)
    }
    const { closed, isDone } = await server.close()
    server.clock.advance(GRACE * 0.95 - 1)
    // What Close leads to takes turns of the loop, not time.
    await eventually(() =>
      expect([...server.gateway.sockets].every(({ phase }) => phase === 'closed')).toBe(true),
    )
    expect(isDone()).toBe(false)
    server.clock.advance(1)
    for (let turn = 0; turn < 100; turn++) await new Promise(setImmediate)
    expect(isDone()).toBe(true)
    await closed
    await expectNothingLeft(server)
  })

  it('ends upgrades and handshakes in each phase', async () => {
    const server = await serve({
      namespace: { authenticate: () => new Promise<never>(() => {}) },
    })
    const inUpgrade = await connectBytes(server.url)
    inUpgrade.write(upgradeRequest(server.url, { authorization: 'Bearer ann' }))
    await eventually(() => expect(server.gateway.upgrades.size).toBe(1))
    const beforeHello = await server.connect()
    const inHello = await server.connect()
    inHello.send([1, 's', contract.hash, '1.0.0', [], 'ann'])
    await eventually(() => expect(openingOf(server)).toEqual(['hello', 'opening']))
    await server.app.close()
    expect((await inUpgrade.ended()).toString()).toMatch(CLOSING)
    expect((await beforeHello.closed()).code).toBe(1012)
    expect((await inHello.closed()).code).toBe(1012)
    await expectNothingLeft(server)
    // What an `authenticate` that never ends is given.
    server.clock.advance(60_000)
    await eventually(() => expect(server.clock.pending).toBe(0))
  })

  it('ends handshakes at once, and waits for calls only', async () => {
    const server = await serve()
    const busy = await server.enter('ann')
    busy.send([2, 1, 'wait', { name: 'w' }])
    await busy.ping()
    const beforeHello = await server.connect()
    const { closed, isDone } = await server.close()
    expect((await beforeHello.closed()).code).toBe(1012)
    expect(isDone()).toBe(false)
    server.probe.release('w')
    await closed
    await expectNothingLeft(server)
  })

  it('takes no upgrade any more while it waits, and leaves none open', async () => {
    const server = await serve()
    const client = await server.enter('ann')
    client.send([2, 1, 'wait', { name: 'w' }])
    await client.ping()
    // Connected before the close, and idle: only the upgrade comes during it.
    const late = [await connectBytes(server.url), await connectBytes(server.url)]
    const { closed } = await server.close()
    late[0]?.write(upgradeRequest(server.url))
    late[1]?.write(upgradeRequest(`ws://127.0.0.1:${server.port}/nowhere`))
    expect((await late[0]?.ended())?.toString()).toMatch(CLOSING)
    expect((await late[1]?.ended())?.toString()).toMatch(/^HTTP\/1\.1 503 /)
    await expect(connect(server.url)).rejects.toThrow()
    server.probe.release('w')
    await closed
    await expectNothingLeft(server)
  })

  it('waits for the onClose hooks within its grace, and logs one that fails', async () => {
    let release = (): void => {}
    const gate = new Promise<void>((resolve) => {
      release = resolve
    })
    const ran: string[] = []
    const server = await serve({
      after: (app) => {
        const { addHook } = app.ackordGateway
        addHook('onClose', () => {
          ran.push('throws')
          throw new Error('a hook that fails')
        })
        addHook('onClose', async () => {
          await gate
          ran.push('waited')
        })
      },
    })
    const client = await server.enter('ann')
    const { closed, isDone } = await server.close()
    client.send([2, 1, 'echo', { text: 'still served' }])
    await client.next(18)
    expect([ran, isDone()]).toEqual([['throws'], false])
    release()
    await closed
    expect(ran).toEqual(['throws', 'waited'])
    expect((await client.closed()).code).toBe(1012)
    expect(server.lines.filter(({ level }) => level === 50)).toMatchObject([
      { err: { message: 'a hook that fails' } },
    ])
  })

  it('answers 503 to an upgrade that comes meanwhile, whoever else listens for upgrades', async () => {
    const server = await serve({ before: (app) => void app.server.on('upgrade', () => {}) })
    const client = await server.enter('ann')
    client.send([2, 1, 'wait', { name: 'w' }])
    await client.ping()
    const late = await connectBytes(server.url)
    const { closed } = await server.close()
    late.write(upgradeRequest(server.url))
    expect((await late.ended()).toString()).toMatch(CLOSING)
    server.probe.release('w')
    await closed
  })

  it('does not wait for an onClose hook that never ends', async () => {
    const server = await serve({
      after: (app) => app.ackordGateway.addHook('onClose', () => new Promise(() => {})),
    })
    const client = await server.enter('ann')
    const { closed } = await server.close()
    server.clock.advance(GRACE)
    await closed
    expect((await client.closed()).code).toBe(1012)
    await expectNothingLeft(server)
  })

  it('works with a grace of nothing', async () => {
    const server = await startServer({ grace: 0 })
    const client = await server.enter('ann')
    client.send([2, 1, 'wait', { name: 'w' }])
    await client.ping()
    client.pause()
    await server.app.close()
    await expectNothingLeft(server)
  })

  it('works before the app is ready, and when it never listened', async () => {
    for (const ready of [false, true]) {
      const { app } = makeApp()
      void app.register(ackord)
      void app.register(mountTiny())
      if (ready) await app.ready()
      await app.close()
      expect(app.server.listenerCount('upgrade')).toBe(0)
    }
  })

  it('works where the start failed', async () => {
    const { app } = makeApp()
    void app.register(ackord)
    void app.register(namespace(tiny, { path: '/live' }).plugin({ calls: { echo: (input) => input } }))
    await expect(app.ready()).rejects.toMatchObject({ code: 'ACKORD_AUTHENTICATE_MISSING' })
    await app.close()
    expect(app.server.listenerCount('upgrade')).toBe(0)
  })

  it('twenty times in a row, each in the middle of a burst of connections and calls', async () => {
    for (let round = 0; round < 20; round++) {
      const { app, warnings } = makeApp()
      await app.register(ackord, { grace: 2000 })
      await app.register(mountTiny())
      const url = `ws://127.0.0.1:${await listen(app)}/live`
      const clients = [await roundTrip(url), await roundTrip(url), await roundTrip(url)]
      for (const [n, client] of clients.entries()) {
        for (let seq = 2; seq < 200; seq++) client.send([2, seq, 'echo', { text: 'x'.repeat(n * 200) }])
      }
      // Of these some are refused, some get 1012, some find nobody: none may be left without an end.
      const late = Array.from({ length: 10 }, async () => {
        const client = await connect(url).catch(() => undefined)
        client?.send(hello())
        return (await client?.closed())?.code
      })
      const raw = connectTcp({ port: Number(new URL(url).port), host: '127.0.0.1' })
      onTestFinished(() => void raw.destroy())
      raw.on('error', () => {})
      raw.write(upgradeRequest(url) + wsFrame({ payload: JSON.stringify(hello()) }).toString('latin1'))
      await app.close()
      expect([app.server.listenerCount('upgrade'), await socketsOf(app)]).toEqual([0, 0])
      const { gateway } = app.ackordGateway
      await eventually(() => {
        expect([gateway.sockets.size, gateway.upgrades.size, gateway.handshakes.size]).toEqual([0, 0, 0])
      })
      for (const client of clients) {
        expect((await client.closed()).code).toBe(1012)
        // Every call was answered before, or the connection ended with it: no answer comes twice or out of order.
        const seqs = client.frames.filter(([type]) => type === 18).map(([, seq]) => seq)
        expect(seqs).toEqual(seqs.map((_, n) => n + 1))
      }
      for (const code of await Promise.all(late)) expect([undefined, 1006, 1012]).toContain(code)
      expect(warnings()).toEqual([])
    }
  })
})
