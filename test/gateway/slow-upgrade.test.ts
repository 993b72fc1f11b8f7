import { afterEach, describe, expect, it } from 'vitest'
import { createClock } from '../../client/testing/clock.js'
import { connectBytes, upgradeRequest } from '../support/raw-bytes.js'
import { abortAll, connect } from '../support/raw-client.js'
import { type ServerOptions, startServer } from '../support/server.js'
import { hello, serveSlowly } from './slow-server.js'
import { eventually, socketsOf } from './support.js'

afterEach(abortAll)

describe('an upgrade whose authentication takes time', () => {
  const headers = { authorization: 'Bearer ann' }

  it('is opened in the end, and loses nothing that was sent meanwhile', async () => {
    const { url, asked, release, gateway } = await serveSlowly()
    const opening = connect(url, { headers })
    await asked(1)
    expect(gateway.upgrades.size).toBe(1)
    release()
    const client = await opening
    client.send(hello('s'))
    await client.next(17)
    expect(gateway.upgrades.size).toBe(0)
  })

  for (const reset of [true, false]) {
    it(`leaves nothing when its peer is gone meanwhile by a ${reset ? 'reset' : 'FIN'}`, async () => {
      const { app, url, asked, release, gateway, lines } = await serveSlowly()
      for (let n = 1; n <= 5; n++) {
        const socket = await connectBytes(url)
        socket.write(upgradeRequest(url, headers))
        await asked(n)
        if (reset) socket.socket.resetAndDestroy()
        else socket.destroy()
      }
      release()
      await eventually(async () => expect(await socketsOf(app)).toBe(0))
      await eventually(() => {
        expect([gateway.upgrades.size, gateway.sockets.size, gateway.handshakes.size]).toEqual([0, 0, 0])
      })
      expect((await app.inject('/nowhere')).statusCode).toBe(404)
      expect(lines.filter(({ level }) => Number(level) >= 40)).toEqual([])
    })
  }

  it('ends where it takes too long', async () => {
    const clock = createClock()
    const { app, url, asked, release, gateway, lines } = await serveSlowly({
      clock,
      handshakeTimeout: 2000,
    })
    const socket = await connectBytes(url)
    socket.write(upgradeRequest(url, headers))
    await asked(1)
    clock.advance(1999)
    expect(gateway.upgrades.size).toBe(1)
    clock.advance(1)
    expect(await socket.ended()).toHaveLength(0)
    await eventually(async () => expect(await socketsOf(app)).toBe(0))
    expect(gateway.upgrades.size).toBe(0)
    expect(lines.filter(({ level }) => Number(level) >= 40)).toMatchObject([
      { level: 40, msg: 'ackord: an upgrade was not decided in time' },
    ])
    release()
    // What the late answer leads to would be an unhandled rejection, or a second connection.
    await app.inject('/nowhere')
    expect([gateway.sockets.size, gateway.handshakes.size]).toEqual([0, 0])
  })
})

describe('an upgrade that a hook of the app holds up', () => {
  /** A server with an `onRequest` hook that ends when `release` is called. */
  async function serveHeld(options: ServerOptions = {}) {
    let release = (): void => {}
    let count = 0
    const gate = new Promise<void>((resolve) => {
      release = resolve
    })
    const server = await startServer({
      ...options,
      before: (app) => {
        app.addHook('onRequest', async () => {
          count++
          await gate
        })
      },
    })
    const held = (times: number): Promise<void> => eventually(() => expect(count).toBe(times))
    return { ...server, release, held }
  }

  it('takes no place where its peer is gone by then', async () => {
    const { app, url, gateway, held, release, connect } = await serveHeld({ maxConnectionsPerAddress: 3 })
    for (let n = 1; n <= 3; n++) {
      const socket = await connectBytes(url)
      socket.write(upgradeRequest(url))
      await held(n)
      socket.socket.resetAndDestroy()
    }
    await eventually(() => expect(gateway.upgrades.size).toBe(0))
    release()
    await app.inject('/nowhere')
    const { caps } = gateway
    expect([caps.connections.size, caps.connections.keys, caps.anonymous.size]).toEqual([0, 0, 0])
    // Nobody was answered: nothing was refused.
    expect(gateway.counters.refused.read()).toEqual({})
    await connect()
  })

  it('takes no place where its time is over by then', async () => {
    const clock = createClock()
    const { app, url, gateway, held, release } = await serveHeld({ clock })
    const socket = await connectBytes(url)
    socket.write(upgradeRequest(url, { authorization: 'Bearer ann' }))
    await held(1)
    clock.advance(5000)
    await socket.ended()
    release()
    await app.inject('/nowhere')
    expect([gateway.upgrades.size, gateway.caps.connections.size]).toEqual([0, 0])
  })

  it('is refused once where the app closes meanwhile, counted, and told to the onRefuse hooks', async () => {
    const told: unknown[] = []
    const { app, url, gateway, held, release } = await serveHeld({
      after: (app) => {
        app.ackordGateway.addHook('onRefuse', ({ ip, status, code }) => void told.push([ip, status, code]))
      },
    })
    const socket = await connectBytes(url)
    socket.write(upgradeRequest(url))
    await held(1)
    const closed = app.close()
    expect((await socket.ended()).toString()).toMatch(/^HTTP\/1\.1 503 .*"code":"CLOSING"/s)
    release()
    await closed
    expect(gateway.counters.refused.read()).toEqual({ CLOSING: 1 })
    expect(told).toEqual([[undefined, 503, 'CLOSING']])
    expect(gateway.caps.connections.size).toBe(0)
  })
})

describe('an upgrade that is refused already when the app closes', () => {
  it('is answered, told and counted once, whoever refused it', async () => {
    for (const [code, status, headers, maxConnections] of [
      ['FULL', 503, {}, 1],
      ['UNAUTHORIZED', 401, { authorization: 'Bearer bad' }, 10],
      ['HTTP_418', 418, { 'x-app': 'refuses' }, 10],
    ] as const) {
      for (const moment of ['told', 'answering'] as const) {
        const told: unknown[] = []
        let closed: Promise<unknown> | undefined
        const server = await startServer({
          maxConnections,
          after: (app) => {
            const close = (): void => {
              closed ??= app.close()
            }
            app.addHook('onRequest', async (request, reply) =>
              request.headers['x-app'] === undefined ? undefined : reply.code(418).send({}),
            )
            app.addHook('onSend', async (_request, { raw }) => {
              const { end } = raw
              // All of the answer is with the socket, and nobody was told yet.
              raw.end = (...args: unknown[]) => {
                Reflect.apply(end, raw, args)
                if (moment === 'answering') close()
                return raw
              }
            })
            app.ackordGateway.addHook('onRefuse', (refusal) => {
              told.push([refusal.status, refusal.code])
              close()
            })
          },
        })
        if (code === 'FULL') await server.enter('ann')
        const socket = await connectBytes(server.url)
        socket.write(upgradeRequest(server.url, headers))
        const answers = (await socket.ended()).toString().match(/HTTP\/1\.1 \d+/g)
        await eventually(() => expect(closed).toBeDefined())
        await closed
        expect(answers).toEqual([`HTTP/1.1 ${status}`])
        expect(told).toEqual([[status, code]])
        expect(server.gateway.counters.refused.read()).toEqual({ [code]: 1 })
        expect([server.gateway.upgrades.size, server.gateway.caps.connections.size]).toEqual([0, 0])
      }
    }
  })
})
