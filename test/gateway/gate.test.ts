import { connect as connectTcp } from 'node:net'
import { afterEach, describe, expect, it, onTestFinished } from 'vitest'
import { ackord, Refusal, type UpgradeInfo } from '../../plugins/index.js'
import { connectBytes, upgradeRequest } from '../support/raw-bytes.js'
import { abortAll, connect, refused } from '../support/raw-client.js'
import { type ServerOptions, startServer } from '../support/server.js'
import { eventually, listen, makeApp, mountTiny, socketsOf } from './support.js'

afterEach(abortAll)

/** Headers of an upgrade, and the answer they get. */
const refusals: ReadonlyArray<
  readonly [what: string, headers: Record<string, string | undefined>, status: number, code: string]
> = [
  ['another version', { 'sec-websocket-version': '12' }, 426, 'WEBSOCKET_VERSION'],
  ['the version of the draft', { 'sec-websocket-version': '8' }, 426, 'WEBSOCKET_VERSION'],
  ['no version', { 'sec-websocket-version': undefined }, 426, 'WEBSOCKET_VERSION'],
  ['no key', { 'sec-websocket-key': undefined }, 400, 'WEBSOCKET_KEY'],
  ['a key that is no base64', { 'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZ!==' }, 400, 'WEBSOCKET_KEY'],
  ['a key of 15 bytes', { 'sec-websocket-key': 'dGhlIHNhbXBsZSBub25j' }, 400, 'WEBSOCKET_KEY'],
  ['a body', { 'content-length': '4' }, 400, 'BODY'],
  ['a body in chunks', { 'transfer-encoding': 'chunked' }, 400, 'BODY'],
  ['no subprotocol', { 'sec-websocket-protocol': undefined }, 426, 'SUBPROTOCOL'],
  ['an empty subprotocol', { 'sec-websocket-protocol': '' }, 400, 'SUBPROTOCOL'],
  ['another subprotocol', { 'sec-websocket-protocol': 'ackord.v2.json, graphql-ws' }, 426, 'SUBPROTOCOL'],
  ['a subprotocol in another case', { 'sec-websocket-protocol': 'Ackord.v1.json' }, 426, 'SUBPROTOCOL'],
  [
    'a repeated subprotocol',
    { 'sec-websocket-protocol': 'ackord.v1.json, ackord.v1.json' },
    400,
    'SUBPROTOCOL',
  ],
  ['a list with a hole', { 'sec-websocket-protocol': 'ackord.v1.json,, other' }, 400, 'SUBPROTOCOL'],
  ['a subprotocol that is no token', { 'sec-websocket-protocol': 'ackord.v1.json, a b' }, 400, 'SUBPROTOCOL'],
  ['another origin', { origin: 'https://evil.example' }, 403, 'ORIGIN_FORBIDDEN'],
  ['the origin of a sandbox', { origin: 'null' }, 403, 'ORIGIN_FORBIDDEN'],
  ['a token that is refused', { authorization: 'Bearer bad' }, 401, 'UNAUTHORIZED'],
]

describe('a refusal of the gate', () => {
  for (const [what, headers, status, code] of refusals) {
    it(`answers ${status} in JSON for ${what}, and ends the socket`, async () => {
      const { app, url, gateway } = await startServer()
      const socket = await connectBytes(url)
      socket.write(upgradeRequest(url, headers))
      const [head = '', body = ''] = (await socket.ended()).toString().split('\r\n\r\n')
      expect(head).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `))
      expect(head.toLowerCase()).toContain('content-type: application/json')
      expect(head.toLowerCase()).toMatch(/\r\nconnection: close(, upgrade)?(\r\n|$)/)
      if (status === 426) expect(head.toLowerCase()).toContain('\r\nupgrade: websocket')
      expect(head.toLowerCase()).toContain('cache-control: no-store')
      expect(JSON.parse(body)).toEqual({ statusCode: status, code, message: expect.any(String) })
      await eventually(async () => expect(await socketsOf(app)).toBe(0))
      expect(gateway.upgrades.size).toBe(0)
    })
  }

  it('releases the descriptor of a peer that never reads and never closes', async () => {
    const { app, port, url, gateway, lines } = await startServer()
    const peers = refusals.map(([, headers]) => {
      const peer = connectTcp({ port, host: '127.0.0.1', allowHalfOpen: true })
      peer.pause()
      peer.write(upgradeRequest(url, headers))
      return peer
    })
    onTestFinished(() => {
      for (const peer of peers) peer.destroy()
    })
    const responses = () => lines.filter(({ msg }) => msg === 'request completed').length
    await eventually(() => expect(responses()).toBe(peers.length))
    // Each was answered, and none is left, though none of the peers did anything.
    await eventually(async () => expect(await socketsOf(app)).toBe(0))
    let answered = 0
    for (const peer of peers) {
      peer.on('data', (chunk: Buffer) => {
        if (chunk.toString().startsWith('HTTP/1.1 4')) answered++
      })
      peer.resume()
    }
    await eventually(() => expect(answered).toBe(peers.length))
    expect(gateway.upgrades.size).toBe(0)
  })
})

describe('Origin', () => {
  async function originsOf(options: ServerOptions) {
    const { url, port } = await startServer(options)
    return {
      port,
      /** 101, or the status of the refusal. */
      async status(...origins: readonly string[]): Promise<number> {
        const socket = await connectBytes(url)
        const [first, ...more] = origins
        const request = upgradeRequest(url, { origin: first })
        socket.write(
          request.replace('\r\n\r\n', `${more.map((other) => `\r\norigin: ${other}`).join('')}\r\n\r\n`),
        )
        const status = Number((await socket.until('\r\n\r\n')).split(' ')[1])
        socket.destroy()
        return status
      },
    }
  }

  it('that is refused is in the log, with the option that lets it in', async () => {
    const { url, lines } = await startServer()
    expect(await refused(url, { headers: { origin: 'http://localhost:5173' } })).toMatchObject({
      status: 403,
    })
    expect(lines.filter(({ level }) => level === 40)).toMatchObject([
      { origin: 'http://localhost:5173', msg: expect.stringContaining('allowedOrigins') },
    ])
  })

  it('may be absent, or the same, where nothing is said', async () => {
    const { port, status } = await originsOf({})
    expect(await status()).toBe(101)
    expect(await status(`http://127.0.0.1:${port}`)).toBe(101)
    const others = [
      `http://127.0.0.1:${port + 1}`,
      'http://127.0.0.1',
      `https://127.0.0.1:${port}`,
      `http://localhost:${port}`,
      `http://127.0.0.1:${port}/`,
      `http://127.0.0.1:${port}, https://evil.example`,
      'null',
      'file://',
      '*',
    ]
    for (const origin of others) expect([origin, await status(origin)]).toEqual([origin, 403])
    expect(await status('https://evil.example', `http://127.0.0.1:${port}`)).toBe(403)
  })

  it('is one of the list where there is one, and then the same origin is no exception', async () => {
    const { port, status } = await originsOf({
      allowedOrigins: ['https://app.example.com', 'http://localhost:5173'],
    })
    for (const origin of ['https://app.example.com', 'http://localhost:5173'])
      expect(await status(origin)).toBe(101)
    expect(await status()).toBe(101)
    const others = [
      `http://127.0.0.1:${port}`,
      'https://app.example.com:8443',
      'http://app.example.com',
      'https://app.example.com.evil.example',
      'https://evil.example',
      'HTTPS://APP.EXAMPLE.COM',
      'https://app.example.com, https://app.example.com',
      'null',
    ]
    for (const origin of others) expect([origin, await status(origin)]).toEqual([origin, 403])
  })

  it('is what the namespace says before what the app says; an empty list lets in no browser', async () => {
    const { port, status } = await originsOf({
      allowedOrigins: ['https://app.example.com'],
      namespace: { authenticate: 'none', allowedOrigins: [] },
    })
    expect(await status('https://app.example.com')).toBe(403)
    expect(await status(`http://127.0.0.1:${port}`)).toBe(403)
    expect(await status()).toBe(101)
  })

  it('is the same behind a proxy that is trusted', async () => {
    const { app } = makeApp({ trustProxy: true })
    await app.register(ackord, { grace: 500 })
    await app.register(mountTiny())
    const url = `ws://127.0.0.1:${await listen(app)}/live`
    const proxied = { 'x-forwarded-proto': 'https', 'x-forwarded-host': 'app.example.com' }
    await connect(url, { headers: { ...proxied, origin: 'https://app.example.com' } })
    expect(await refused(url, { headers: { ...proxied, origin: 'http://app.example.com' } })).toMatchObject({
      status: 403,
    })
  })
})

describe('onUpgrade', () => {
  it('sees a snapshot of the upgrade that carries no token', async () => {
    const seen: UpgradeInfo[] = []
    const { url, gateway } = await startServer({ namespace: { authenticate: 'none' } })
    gateway.hooks.add('onUpgrade', (upgrade) => void seen.push(upgrade))
    const headers = { authorization: 'Bearer secret-1', 'x-mine': 'yes', 'user-agent': 'test' }
    await connect(`${url}?room=1`, {
      headers,
      protocols: ['other', 'ackord.v1.json', 'ackord.token.c2VjcmV0LTI'],
    })
    expect(seen).toEqual([
      {
        ip: '127.0.0.1',
        url: '/v1/live?room=1',
        protocol: 'ackord.v1.json',
        headers: expect.objectContaining({
          'x-mine': 'yes',
          'sec-websocket-protocol': 'other, ackord.v1.json',
        }),
      },
    ])
    expect(JSON.stringify(seen)).not.toMatch(/secret|c2VjcmV0/)
  })

  it('refuses with status, code and Retry-After, before any token is looked at and behind the other checks', async () => {
    let asked = 0
    let ran = 0
    const authenticate = () => {
      asked++
      return null
    }
    const { url, gateway } = await startServer({ namespace: { authenticate } })
    gateway.hooks.add('onUpgrade', async () => {
      ran++
      throw new Refusal(429, 'SLOW_DOWN', 'too many from here', 7)
    })
    const headers = { authorization: 'Bearer ann' }
    const refusal = await refused(url, { headers })
    expect(refusal).toMatchObject({ status: 429, headers: { 'retry-after': '7' } })
    expect(JSON.parse(refusal.body)).toEqual({
      statusCode: 429,
      code: 'SLOW_DOWN',
      message: 'too many from here',
      retryAfter: 7,
    })
    expect([ran, asked]).toEqual([1, 0])
    await refused(url, { headers: { ...headers, origin: 'https://evil.example' } })
    await refused(url, { headers, protocols: ['other'] })
    expect([ran, asked]).toEqual([1, 0])
  })

  it('that throws something else is a 500 that says nothing, and is logged', async () => {
    const { url, gateway, lines } = await startServer()
    gateway.hooks.add('onUpgrade', () => {
      throw new Error('a secret of the hook')
    })
    const refusal = await refused(url)
    expect(refusal.status).toBe(500)
    expect(refusal.body).not.toContain('secret')
    expect(lines.filter(({ level }) => level === 50)).toMatchObject([
      { err: { message: 'a secret of the hook' } },
    ])
  })

  it('limited to a path runs for no other', async () => {
    const { url, gateway } = await startServer()
    const refuse = () => {
      throw new Refusal(403, 'NO', 'no')
    }
    gateway.hooks.add('onUpgrade', refuse, '/v1/other')
    await connect(url)
    gateway.hooks.add('onUpgrade', refuse, '/v1/live')
    expect((await refused(url)).status).toBe(403)
  })
})
