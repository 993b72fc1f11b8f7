import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import websocketPlugin from '@fastify/websocket'
import type { FastifyInstance, onRequestAsyncHookHandler } from 'fastify'
import { createServer as createVite } from 'vite'
import { afterEach, describe, expect, it, onTestFinished } from 'vitest'
import { WebSocketServer } from 'ws'
import { ackord } from '../../plugins/index.js'
import { connectBytes, upgradeRequest, wsFrame } from '../support/raw-bytes.js'
import { abortAll, connect, refused } from '../support/raw-client.js'
import { eventually, hello, listen, makeApp, mountTiny, roundTrip, socketsOf } from './support.js'

afterEach(abortAll)

const places = ['before', 'after'] as const
type Place = (typeof places)[number]

/** An app with ackord and something of its own before or behind it. */
async function serve(
  place: Place,
  neighbour: (app: FastifyInstance) => Promise<void> | void,
  onRequest?: onRequestAsyncHookHandler,
) {
  const made = makeApp()
  const { app } = made
  if (onRequest !== undefined) app.addHook('onRequest', onRequest)
  if (place === 'before') await neighbour(app)
  await app.register(ackord, { grace: 500 })
  await app.register(mountTiny())
  if (place === 'after') await neighbour(app)
  const port = await listen(app)
  return { ...made, port, ours: `ws://127.0.0.1:${port}/live`, theirs: `ws://127.0.0.1:${port}/theirs` }
}

/** Does a whole upgrade byte by byte, and counts the HTTP answers that came into its socket. */
async function answersTo(url: string): Promise<number> {
  const socket = await connectBytes(url)
  socket.write(upgradeRequest(url))
  await socket.until('\r\n\r\n')
  socket.write(wsFrame({ payload: JSON.stringify(hello()) }))
  const received = await socket.until('[17,')
  socket.destroy()
  expect(received).toMatch(/^HTTP\/1\.1 101 /)
  return received.split('HTTP/1.1').length - 1
}

async function register(app: FastifyInstance): Promise<void> {
  await app.register(websocketPlugin)
  app.get('/theirs', { websocket: true }, (socket) => {
    socket.on('message', (data) => socket.send(`theirs ${data}`))
  })
}

async function echoes(url: string): Promise<void> {
  const client = await connect(url, { protocols: [] })
  client.send('hi')
  expect(await client.nextMessage()).toBe('theirs hi')
}

describe("the app's own @fastify/websocket", () => {
  for (const place of places) {
    it(`registered ${place} leaves alone what is refused at once`, async () => {
      const { app } = makeApp()
      if (place === 'before') await register(app)
      await app.register(ackord, { grace: 500, maxConnections: 1 })
      await app.register(mountTiny())
      if (place === 'after') await register(app)
      const { counters } = app.ackordGateway.gateway
      const url = `ws://127.0.0.1:${await listen(app)}/live`
      await connect(url)
      const socket = await connectBytes(url)
      socket.write(upgradeRequest(url))
      const received = (await socket.ended()).toString()
      expect(received).toMatch(/^HTTP\/1\.1 503 /)
      expect(received.split('HTTP/1.1')).toHaveLength(2)
      expect(counters.refused.read()).toEqual({ FULL: 1 })
      await eventually(async () => expect(await socketsOf(app)).toBe(1))
    })
  }

  const neighbours: ReadonlyArray<readonly [string, Place, (app: FastifyInstance) => Promise<void>]> = [
    ['before ackord', 'before', register],
    ['after ackord', 'after', register],
    ['in a child scope before ackord', 'before', (app) => childScope(app)],
    ['in a child scope after ackord', 'after', (app) => childScope(app)],
  ]
  async function childScope(app: FastifyInstance): Promise<void> {
    await app.register(async (scope) => register(scope))
  }

  for (const [where, place, neighbour] of neighbours) {
    it(`serves its route and ours when registered ${where}`, async () => {
      const { ours, theirs, lines, warnings } = await serve(place, neighbour)
      await roundTrip(ours)
      await echoes(theirs)
      await roundTrip(ours)
      expect(await answersTo(ours)).toBe(1)
      expect(warnings()).toEqual([])
      // Routed once each, though two listen.
      const routed = lines.filter(
        ({ msg, req }) => msg === 'incoming request' && (req as { url: string }).url === '/live',
      )
      expect(routed).toHaveLength(3)
    })

    it(`lets us refuse with one answer and an end when registered ${where}`, async () => {
      const { app, ours, warnings } = await serve(place, neighbour)
      const socket = await connectBytes(ours)
      socket.write(upgradeRequest(ours, { origin: 'https://evil.example' }))
      const answer = (await socket.ended()).toString()
      expect(answer).toMatch(/^HTTP\/1\.1 403 /)
      expect(answer.split('HTTP/1.1')).toHaveLength(2)
      expect(answer).toContain('ORIGIN_FORBIDDEN')
      await eventually(async () => expect(await socketsOf(app)).toBe(0))
      expect(warnings()).toMatchObject([{ origin: 'https://evil.example' }])
    })
  }

  it('leaves a hook of the app to refuse, and the socket is ended', async () => {
    for (const place of places) {
      const { app, ours } = await serve(place, register, async () => {
        throw Object.assign(new Error('pay first'), { statusCode: 402 })
      })
      const socket = await connectBytes(ours)
      socket.write(upgradeRequest(ours))
      const answer = (await socket.ended()).toString()
      expect(answer).toMatch(/^HTTP\/1\.1 402 /)
      expect(answer.split('HTTP/1.1')).toHaveLength(2)
      await eventually(async () => expect(await socketsOf(app)).toBe(0))
    }
  })

  it('is reached by its injectWS as before', async () => {
    for (const place of places) {
      const { app } = await serve(place, register)
      const socket = await app.injectWS('/theirs')
      const echoed = new Promise((resolve) => socket.once('message', (data) => resolve(String(data))))
      socket.send('hi')
      expect(await echoed).toBe('theirs hi')
      socket.terminate()
    }
  })

  it('answers for the paths it does not know as it does without us', async () => {
    const { port } = await serve('after', register)
    expect(await refused(`ws://127.0.0.1:${port}/nowhere`)).toMatchObject({ status: 404 })
  })
})

describe('a ws server of the app', () => {
  function listenRaw(app: FastifyInstance): void {
    const sockets = new WebSocketServer({ noServer: true })
    sockets.on('connection', (socket) => {
      socket.on('message', (data) => socket.send(`theirs ${data}`))
    })
    app.server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
      if (request.url !== '/theirs') return
      sockets.handleUpgrade(request, socket, head, (websocket) => sockets.emit('connection', websocket))
    })
  }

  for (const place of places) {
    it(`keeps its path, and we ours, when it listens ${place} us`, async () => {
      const { ours, theirs, warnings } = await serve(place, listenRaw)
      await roundTrip(ours)
      await echoes(theirs)
      expect(await answersTo(ours)).toBe(1)
      expect(warnings()).toEqual([])
    })
  }
})

describe('a Vite dev server on the port of the app', () => {
  for (const place of places) {
    it(`keeps its hot reload, and we our path, when it listens ${place} us`, async () => {
      let token = ''
      const { port, ours, warnings } = await serve(place, async (app) => {
        const vite = await createVite({
          root: import.meta.dirname,
          configFile: false,
          appType: 'custom',
          logLevel: 'silent',
          optimizeDeps: { noDiscovery: true },
          server: { middlewareMode: true, hmr: { server: app.server }, watch: null },
        })
        onTestFinished(() => vite.close())
        token = vite.config.webSocketToken
      })
      const page = await connect(`ws://127.0.0.1:${port}/?token=${token}`, { protocols: ['vite-hmr'] })
      expect(JSON.parse(String(await page.nextMessage()))).toEqual({ type: 'connected' })
      const client = await roundTrip(ours)
      expect(await answersTo(ours)).toBe(1)
      await page.ping()
      await client.ping()
      expect(warnings()).toEqual([])
    })
  }
})
