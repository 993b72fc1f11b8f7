import http2 from 'node:http2'
import websocket from '@fastify/websocket'
import Fastify, { type FastifyInstance } from 'fastify'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { createNetwork, type Network } from '../../client/testing/index.js'
import { settle } from '../../client/testing/settle.js'
import type { WebSocketLike } from '../../client/types.js'

const apps: { close(): PromiseLike<unknown> }[] = []
afterEach(async () => {
  for (const app of apps.splice(0)) await app.close()
})

/** An app that echoes, and notes what happens to its connections. */
async function echo(options: Parameters<typeof createNetwork>[1] = {}) {
  const app: FastifyInstance = Fastify()
  apps.push(app)
  const log: string[] = []
  await app.register(websocket)
  app.addHook('preValidation', async (request, reply) => {
    if (request.url === '/refused') return reply.code(401).send()
  })
  app.get('/refused', { websocket: true }, () => {})
  app.get('/echo', { websocket: true }, (socket, request) => {
    log.push(`open ${request.ip} ${request.headers.origin ?? '-'}`)
    socket.on('message', (data) => socket.send(String(data)))
    socket.on('close', (code) => log.push(`close ${code}`))
  })
  const network = await createNetwork(app, options)
  return { app, log, network }
}

/** A client that notes what it is told. */
function dial(network: Network, url = 'ws://test/echo') {
  const socket = new network.WebSocket(url, [])
  const told: string[] = []
  socket.onopen = () => void told.push('open')
  socket.onmessage = (event: MessageEvent) => void told.push(`message ${event.data}`)
  socket.onerror = (event: { message: string }) => void told.push(`error ${event.message}`)
  socket.onclose = (event: { code: number; reason: string }) =>
    void told.push(`close ${event.code} ${event.reason}`)
  return { socket, told }
}

describe('a test network', () => {
  it('carries messages through the real server, in order', async () => {
    const { network, log } = await echo({ headers: { origin: 'https://app.example' } })
    const { socket, told } = dial(network)
    expect(socket.readyState).toBe(0)
    await network.settle()
    expect(socket.readyState).toBe(1)
    for (const text of ['one', 'two', 'three']) socket.send(text)
    expect(told).toEqual(['open'])
    await network.settle()
    socket.close(4000, 'enough')
    await network.settle()
    expect(told).toEqual(['open', 'message one', 'message two', 'message three', 'close 4000 enough'])
    expect(log).toEqual(['open 127.0.0.1 https://app.example', 'close 4000'])
    expect(network.connections).toEqual([])
  })

  it('carries more than its window, both ways', async () => {
    const { network } = await echo()
    const { socket, told } = dial(network)
    await network.settle()
    const large = 'x'.repeat(1_000_000)
    socket.send(large)
    socket.send('after')
    await network.settle()
    expect(told).toEqual(['open', `message ${large}`, 'message after'])
  })

  it('hands binary messages over in the type that was asked for', async () => {
    const app = Fastify()
    apps.push(app)
    await app.register(websocket)
    app.get('/', { websocket: true }, (socket) => socket.send(Uint8Array.of(1, 2)))
    const network = await createNetwork(app)
    const socket = new network.WebSocket('ws://test/', [])
    socket.binaryType = 'arraybuffer'
    const message = new Promise((resolve) => {
      socket.onmessage = (event: MessageEvent) => resolve(event.data)
    })
    expect(await message).toEqual(Uint8Array.of(1, 2).buffer)
  })

  it('does without compression, which would leave the event loop', async () => {
    const app = Fastify()
    apps.push(app)
    await app.register(websocket, { options: { perMessageDeflate: true } })
    app.get('/', { websocket: true }, (socket) => socket.send(`extensions: ${socket.extensions}`))
    const { told } = dial(await createNetwork(app), 'ws://test/')
    await settle()
    expect(told).toEqual(['open', 'message extensions: '])
  })

  it('shows the client a refused upgrade as an error, then 1006', async () => {
    const { network } = await echo()
    const { told } = dial(network, 'ws://test/refused')
    await network.settle()
    expect(told).toEqual(['error Unexpected server response: 401', 'close 1006 '])
    expect(network.connections).toEqual([])
  })

  it('does not need a listener for errors', async () => {
    const { network } = await echo()
    const socket: WebSocketLike = new network.WebSocket('ws://test/refused', [])
    await network.settle()
    expect(socket.readyState).toBe(3)
  })

  it('cuts what is open and refuses what is new, until it is restored', async () => {
    const { network, log } = await echo()
    const first = dial(network)
    await network.settle()
    first.socket.send('lost')
    network.cut()
    const refused = dial(network)
    await network.settle()
    expect(first.told).toEqual(['open', 'close 1006 '])
    expect(refused.told).toEqual(['error connect ECONNREFUSED (test network)', 'close 1006 '])
    expect(log).toEqual(['open 127.0.0.1 -', 'close 1006'])
    network.restore()
    const second = dial(network)
    await network.settle()
    expect(second.told).toEqual(['open'])
  })

  it('can be cut at any moment of an opening', async () => {
    const { network } = await echo()
    for (let turns = 0; turns < 8; turns++) {
      const { told } = dial(network)
      for (let turn = 0; turn < turns; turn++) await new Promise(setImmediate)
      network.cut()
      network.restore()
      await network.settle()
      expect(told.at(-1)).toBe('close 1006 ')
      expect(network.connections).toEqual([])
    }
  })

  it('stalls without closing anything, and goes on without loss', async () => {
    const { network, log } = await echo()
    const { socket, told } = dial(network)
    await network.settle()
    network.stall()
    const late = dial(network)
    socket.send('held')
    await network.settle()
    expect([told, late.told, log]).toEqual([['open'], [], ['open 127.0.0.1 -']])
    expect(network.connections.map((connection) => connection.stalled)).toEqual([true, true])
    network.resume()
    await network.settle()
    expect([told, late.told]).toEqual([['open', 'message held'], ['open']])
  })

  it('cuts, stalls and resumes one connection alone', async () => {
    const { network } = await echo()
    const clients = [dial(network, 'ws://test/echo?1'), dial(network, 'ws://test/echo?2')]
    await network.settle()
    const [first, second] = network.connections
    expect([first?.url, second?.url]).toEqual(['ws://test/echo?1', 'ws://test/echo?2'])
    first?.stall()
    for (const { socket } of clients) socket.send('a')
    await network.settle()
    expect(clients.map(({ told }) => told.at(-1))).toEqual(['open', 'message a'])
    first?.resume()
    second?.cut()
    await network.settle()
    expect(clients.map(({ told }) => told.at(-1))).toEqual(['message a', 'close 1006 '])
  })

  it('keeps a half-open connection until both sides have let go', async () => {
    const { app, network, log } = await echo()
    const { socket, told } = dial(network)
    await network.settle()
    network.stall()
    socket.close()
    for (const server of app.websocketServer.clients) server.terminate()
    await network.settle()
    expect([told, log, network.connections.length]).toEqual([['open'], ['open 127.0.0.1 -', 'close 1006'], 1])
    network.resume()
    await network.settle()
    expect([told, network.connections]).toEqual([['open', 'close 1006 '], []])
  })

  it('bounds what is held for a peer that does not read', async () => {
    const { app, network } = await echo()
    const { socket } = dial(network)
    await network.settle()
    network.stall()
    const [server] = app.websocketServer.clients
    for (let sent = 0; sent < 20; sent++) server?.send('x'.repeat(10_000))
    await network.settle()
    // The window took its 64 KiB and one chunk; the rest is with the sender, as it is behind a full TCP window.
    expect(server?.bufferedAmount).toBeGreaterThan(200_000 - 65_536 - 20_000)
    network.resume()
    await network.settle()
    expect([server?.bufferedAmount, socket.readyState]).toEqual([0, 1])
  })

  it('rejects settle() where two sides answer each other for ever', async () => {
    const { network } = await echo()
    const { socket } = dial(network)
    socket.onmessage = (event: MessageEvent) => socket.send(event.data)
    await network.settle()
    socket.send('ping')
    await expect(network.settle()).rejects.toThrow('did not settle')
    network.cut()
  })

  it('reaches an app over TLS without a handshake', async () => {
    const app = Fastify({ https: {} })
    apps.push(app)
    await app.register(websocket)
    app.get('/', { websocket: true }, (socket, request) => socket.send(request.protocol))
    const network = await createNetwork(app)
    const { told } = dial(network, 'wss://test/')
    await network.settle()
    expect(told).toEqual(['open', 'message https'])
  })
})

describe('createNetwork', () => {
  it('says that HTTP/2 has no upgrade', async () => {
    const app = { server: http2.createServer(), ready: async () => {} }
    await expect(createNetwork(app)).rejects.toThrow('HTTP/1.1')
  })

  it('rejects with the error of an app that does not start', async () => {
    const app = Fastify()
    apps.push(app)
    app.register(async () => {
      throw new Error('of a plugin')
    })
    await expect(createNetwork(app)).rejects.toThrow('of a plugin')
  })

  it('refuses connections once the app is closed', async () => {
    const { app, network } = await echo()
    await app.close()
    const { told } = dial(network)
    await network.settle()
    expect(told).toEqual(['error Unexpected server response: 503', 'close 1006 '])
  })

  it('says what to install where ws is missing', async () => {
    vi.resetModules()
    vi.doMock('ws', () => {
      throw new Error('Cannot find package')
    })
    try {
      const { createNetwork } = await import('../../client/testing/index.js')
      const app = Fastify()
      apps.push(app)
      await expect(createNetwork(app)).rejects.toThrow('npm install --save-dev ws')
    } finally {
      vi.doUnmock('ws')
    }
  })
})
