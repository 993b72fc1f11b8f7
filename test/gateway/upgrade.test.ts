import { connect as connectTcp } from 'node:net'
import type { Duplex } from 'node:stream'
import { afterEach, describe, expect, it, onTestFinished } from 'vitest'
import { connectBytes, type RawSocket, upgradeRequest } from '../support/raw-bytes.js'
import { abortAll, connect } from '../support/raw-client.js'
import { eventually, listenTiny, makeApp, roundTrip, socketsOf } from './support.js'

afterEach(abortAll)

/** An app that says what reached its routes. */
async function serve() {
  const made = makeApp()
  const { app } = made
  let release = (): void => {}
  const slow = new Promise<void>((resolve) => {
    release = resolve
  })
  app.get('/slow', async () => slow)
  app.get('/plain', (request) => ({ got: request.raw.rawHeaders }))
  app.post('/plain', { bodyLimit: 4_000_000 }, (request) => ({ body: request.body }))
  const port = await listenTiny(app)
  return { ...made, release, port, http: `http://127.0.0.1:${port}`, ours: `ws://127.0.0.1:${port}/live` }
}

const request = (line: string, headers: readonly string[], body = '') =>
  [`${line} HTTP/1.1`, 'host: test', ...headers, '', body].join('\r\n')

const asWebSocket = [
  'connection: Upgrade',
  'upgrade: websocket',
  'sec-websocket-version: 13',
  'sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==',
]
const asH2c = ['connection: Upgrade, HTTP2-Settings', 'upgrade: h2c', 'http2-settings: AAMAAABk']

/** Takes one answer with a content-length from what a socket received, from `offset` on. */
async function answer(socket: RawSocket, offset = 0) {
  let text = ''
  await eventually(() => {
    text = socket.received.toString('latin1').slice(offset)
    const [head = '', body] = text.split('\r\n\r\n', 2)
    const length = Number(/content-length: (\d+)/i.exec(head)?.[1])
    expect(body?.length).toBeGreaterThanOrEqual(length)
    text = text.slice(0, head.length + 4 + length)
  })
  const [head = '', body = ''] = text.split('\r\n\r\n', 2)
  return { status: Number(head.split(' ')[1]), head, body, end: offset + text.length }
}

const withoutDate = (head: string) => head.replace(/\r\ndate: [^\r]+/i, '')

describe('an upgrade that became a connection', () => {
  it('leaves no listener of the wait on its socket', async () => {
    const { app } = makeApp()
    const port = await listenTiny(app)
    let socket: Duplex | undefined
    const listeners = () => [...(socket?.listeners('close') ?? []), ...(socket?.listeners('error') ?? [])]
    let before: unknown[] = []
    let waiting: unknown[] = []
    app.server.prependListener('upgrade', (_request, upgraded) => {
      socket = upgraded
      before = listeners()
    })
    app.server.on('upgrade', () => {
      waiting = listeners().filter((listener) => !before.includes(listener))
    })
    await roundTrip(`ws://127.0.0.1:${port}/live`)
    expect(waiting).toHaveLength(2)
    expect(listeners().filter((listener) => waiting.includes(listener))).toEqual([])
  })
})

describe('an upgrade that nobody takes', () => {
  it('gets the answer of a plain GET, and its connection stays for the next request', async () => {
    const { http, app } = await serve()
    const socket = await connectBytes(http)
    socket.write(request('GET /nowhere', []))
    const plain = await answer(socket)
    expect(plain.status).toBe(404)
    socket.write(request('GET /nowhere', asH2c))
    const upgraded = await answer(socket, plain.end)
    expect([withoutDate(upgraded.head), upgraded.body]).toEqual([withoutDate(plain.head), plain.body])
    socket.write(request('GET /plain', []))
    expect(await answer(socket, upgraded.end)).toMatchObject({ status: 200 })
    socket.destroy()
    await eventually(async () => expect(await socketsOf(app)).toBe(0))
  })

  it('and asked for a WebSocket is refused with a code, which ends its connection though the peer never does', async () => {
    const { http, app } = await serve()
    for (const path of ['/nowhere', '/plain', '/live/']) {
      const peer = connectTcp({ port: Number(new URL(http).port), host: '127.0.0.1', allowHalfOpen: true })
      onTestFinished(() => void peer.destroy())
      let received = ''
      peer.on('data', (chunk) => {
        received += chunk.toString('latin1')
      })
      peer.write(request(`GET ${path}`, asWebSocket))
      await eventually(async () => {
        expect(received).toMatch(/^HTTP\/1\.1 404 .*\r\nconnection: close\r\n/is)
        expect(await socketsOf(app)).toBe(0)
      })
      expect(JSON.parse(received.slice(received.indexOf('\r\n\r\n')))).toEqual({
        statusCode: 404,
        code: 'NOT_FOUND',
        message: 'no WebSocket is served at this path',
      })
    }
    expect(app.ackord.stats().upgrades.refused).toEqual({ NOT_FOUND: 3 })
  })

  it('reaches the route of a GET with its headers, and without the wish to upgrade', async () => {
    const { http } = await serve()
    const socket = await connectBytes(http)
    const odd = ['x-one: a', 'X-Two: \xe9\xfc', 'x-one: b', 'x-empty: ']
    socket.write(Buffer.from(request('GET /plain', [...asH2c, ...odd]), 'latin1'))
    const { status, body } = await answer(socket)
    expect(status).toBe(200)
    expect(Buffer.from(body, 'latin1').toString()).toBe(
      JSON.stringify({
        got: [
          'host',
          'test',
          'connection',
          'keep-alive',
          'x-one',
          'a',
          'X-Two',
          'éü',
          'x-one',
          'b',
          'x-empty',
          '',
        ],
      }),
    )
  })

  it('keeps what else stands in Connection', async () => {
    const { http } = await serve()
    const socket = await connectBytes(http)
    socket.write(request('GET /plain', ['connection: close, upgrade', 'upgrade: h2c']))
    const received = (await socket.ended()).toString()
    expect(received).toMatch(/^HTTP\/1\.1 200 /)
    expect(received).toContain('"connection","close"')
  })

  for (const [what, headers, bytes] of [
    ['a length', ['content-length: 13'], '{"text":"hi"}'],
    ['chunks', ['transfer-encoding: chunked'], 'd\r\n{"text":"hi"}\r\n0\r\n\r\n'],
  ] as const) {
    const head = [...asH2c, 'content-type: application/json', ...headers]

    it(`reaches the route of a POST with its body of ${what}, and what is pipelined behind it comes next`, async () => {
      const { http } = await serve()
      const socket = await connectBytes(http)
      socket.write(request('POST /plain', head, bytes) + request('GET /nowhere', []))
      const first = await answer(socket)
      expect([first.status, first.body]).toEqual([200, '{"body":{"text":"hi"}}'])
      const second = await answer(socket, first.end)
      expect(second.status).toBe(404)
      socket.write(request('GET /plain', asH2c))
      expect((await answer(socket, second.end)).status).toBe(200)
    })

    it(`reaches the route of a POST whose body of ${what} comes later, piece by piece`, async () => {
      const { http, lines } = await serve()
      const socket = await connectBytes(http)
      socket.write(request('POST /plain', head))
      await eventually(() => expect(lines.some(({ msg }) => msg === 'incoming request')).toBe(true))
      for (const byte of bytes) {
        socket.write(byte)
        await new Promise(setImmediate)
      }
      expect(await answer(socket)).toMatchObject({ status: 200, body: '{"body":{"text":"hi"}}' })
    })
  }

  it('reaches the route with a body of megabytes whole and in order', async () => {
    const { http } = await serve()
    const text = Array.from({ length: 400_000 }, (_, n) => n % 10).join('') + 'x'.repeat(2_000_000)
    const body = JSON.stringify({ text })
    const socket = await connectBytes(http)
    const head = [...asH2c, 'content-type: application/json', `content-length: ${body.length}`]
    socket.write(request('POST /plain', head, body))
    const got = await answer(socket)
    expect(got.status).toBe(200)
    // Not toBe: a difference of megabytes is nothing to print.
    expect(got.body === JSON.stringify({ body: { text } })).toBe(true)
  })

  it('ends its connection, whosever it is, when it is pipelined behind a request that is not answered yet', async () => {
    const { http, app, release } = await serve()
    for (const path of ['/nowhere', '/live']) {
      const socket = await connectBytes(http)
      socket.write(request('GET /slow', []) + request(`GET ${path}`, asWebSocket))
      expect(await socket.ended()).toHaveLength(0)
      await eventually(async () => expect(await socketsOf(app)).toBe(0))
    }
    release()
  })

  it('does not end the process when its peer resets', async () => {
    const { http, app } = await serve()
    for (const headers of [asWebSocket, asH2c]) {
      const socket = await connectBytes(http)
      socket.write(
        request('POST /plain', [...headers, 'content-type: application/json', 'content-length: 100']),
      )
      await eventually(async () => expect(await socketsOf(app)).toBe(1))
      socket.socket.resetAndDestroy()
      await eventually(async () => expect(await socketsOf(app)).toBe(0))
    }
    expect((await app.inject('/plain')).statusCode).toBe(200)
  })
})

describe('our path', () => {
  it('is served with a query, and whatever the case of the upgrade', async () => {
    const { ours } = await serve()
    await roundTrip(`${ours}?a=1`)
    for (const upgrade of ['WebSocket', 'WEBSOCKET']) {
      const socket = await connectBytes(ours)
      socket.write(upgradeRequest(ours, { upgrade }))
      expect(await socket.until('\r\n\r\n')).toMatch(/^HTTP\/1\.1 101 /)
      socket.destroy()
    }
  })

  it('answers 426 to what is no upgrade', async () => {
    const { app, http } = await serve()
    const refusal = {
      statusCode: 426,
      headers: expect.objectContaining({ upgrade: 'websocket', 'sec-websocket-version': '13' }),
    }
    const response = await app.inject('/live')
    expect(response).toMatchObject(refusal)
    expect(response.json()).toEqual({
      statusCode: 426,
      code: 'UPGRADE_REQUIRED',
      message: 'this is a WebSocket endpoint, and an upgrade would be let in',
      protocols: expect.arrayContaining(['ackord.v1.json']),
    })
    const head = await app.inject({ method: 'HEAD', url: '/live' })
    expect(head).toMatchObject({ ...refusal, body: '' })
    const socket = await connectBytes(http)
    socket.write(request('GET /live', asH2c))
    expect((await socket.ended()).toString()).toMatch(/^HTTP\/1\.1 426 /)
  })

  it('takes GET only: a POST that asks for a WebSocket is a POST', async () => {
    const { app, http } = await serve()
    const socket = await connectBytes(http)
    socket.write(
      request('POST /live', [...asWebSocket, 'content-length: 2', 'content-type: application/json'], '{}'),
    )
    const { status, body } = await answer(socket)
    expect([status, body]).toEqual([
      404,
      (await app.inject({ method: 'POST', url: '/live', payload: {} })).body,
    ])
  })

  it('is no other path: not longer, not shorter, not in another case', async () => {
    const { port } = await serve()
    for (const path of ['/live/', '/live/x', '/liv', '/LIVE', '/', '//live']) {
      await expect(connect(`ws://127.0.0.1:${port}${path}`)).rejects.toMatchObject({ status: 404 })
    }
  })

  it('leaves app.inject to the app', async () => {
    const { app, ours } = await serve()
    await roundTrip(ours)
    expect((await app.inject('/plain')).statusCode).toBe(200)
    expect((await app.inject('/nowhere')).statusCode).toBe(404)
  })
})
