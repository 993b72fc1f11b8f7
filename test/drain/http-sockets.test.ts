import { once } from 'node:events'
import type { ServerOptions } from 'node:https'
import { createConnection } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { afterEach, describe, expect, it, onTestFinished } from 'vitest'
import { createClock } from '../../client/testing/clock.js'
import { ackord } from '../../plugins/index.js'
import { eventually, listen, makeApp, mountTiny, socketsOf } from '../gateway/support.js'
import { connectBytes, upgradeRequest } from '../support/raw-bytes.js'
import { abortAll } from '../support/raw-client.js'
import { settle } from './support.js'

afterEach(abortAll)

/** TLS without a certificate (RFC 4279). */
const SHARED_KEY = { ciphers: 'PSK', maxVersion: 'TLSv1.2' } as const

async function serve(https?: ServerOptions) {
  const clock = createClock()
  const { app } = makeApp({ https })
  let release = (): void => {}
  const gate = new Promise<void>((resolve) => {
    release = resolve
  })
  await app.register(ackord, { clock })
  await app.register(mountTiny())
  let began = false
  app.get('/slow', async () => {
    began = true
    await gate
    return 'at last'
  })
  const url = `ws://127.0.0.1:${await listen(app)}/live`
  return { app, clock, url, release, began: () => began, gateway: app.ackordGateway.gateway }
}

describe('app.close() waits for no request that never comes', () => {
  const started: ReadonlyArray<readonly [string, (url: string) => string]> = [
    ['nothing', () => ''],
    ['half a head', () => 'GET / HTTP/1.1\r\nHost: x\r\n'],
    ['half an upgrade', (url) => upgradeRequest(url).slice(0, -4)],
    ['half a head behind an answered request', () => 'GET /no HTTP/1.1\r\nHost: x\r\n\r\nGET / HT'],
    [
      'half a head behind an h2c upgrade',
      () => 'GET /no HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\nGET / HT',
    ],
  ]
  for (const [what, bytes] of started) {
    it(`after ${what}`, async () => {
      const { app, url, gateway } = await serve()
      const peer = await connectBytes(url)
      peer.write(bytes(url))
      if (bytes(url).includes('/no')) await peer.until('404 Not Found')
      await eventually(() => expect(gateway.http.size).toBe(1))
      await app.close()
      await peer.ended()
      expect([gateway.http.size, await socketsOf(app)]).toEqual([0, 0])
    })
  }

  it('after a TCP connection to a TLS server, or half a head over TLS', async () => {
    const psk = Buffer.from('between you and me')
    const { app, url, gateway } = await serve({ ...SHARED_KEY, pskCallback: () => psk })
    const port = Number(new URL(url).port)
    const mute = createConnection({ host: '127.0.0.1', port })
    const half = connectTls({
      ...SHARED_KEY,
      host: '127.0.0.1',
      port,
      checkServerIdentity: () => undefined,
      pskCallback: () => ({ psk, identity: 'me' }),
    })
    for (const socket of [mute, half]) {
      socket.on('error', () => {})
      onTestFinished(() => void socket.destroy())
    }
    await once(half, 'secureConnect')
    half.write('GET / HTTP/1.1\r\n')
    await eventually(() => expect(gateway.http.size).toBe(2))
    await app.close()
    await eventually(async () => expect([gateway.http.size, await socketsOf(app)]).toEqual([0, 0]))
  })

  it('but answers the one that is under way, however long that takes', async () => {
    const { app, clock, url, release, began, gateway } = await serve()
    const peer = await connectBytes(url)
    peer.write('GET /slow HTTP/1.1\r\nHost: x\r\n\r\n')
    await eventually(() => expect(began()).toBe(true))
    const closed = app.close()
    await eventually(() => expect(app.server.listening).toBe(false))
    clock.advance(60_000)
    await settle()
    release()
    expect(await peer.until('at last')).toMatch(/^HTTP\/1\.1 200 /)
    // Node would keep it alive for the next request.
    await settle()
    clock.advance(100)
    await closed
    await peer.ended()
    expect(gateway.http.size).toBe(0)
  })
})

it('connections that became WebSockets are not kept among those of HTTP', async () => {
  const { app, url, gateway } = await serve()
  const peer = await connectBytes(url)
  peer.write(upgradeRequest(url))
  await peer.until('101 Switching Protocols')
  expect([gateway.http.size, gateway.sockets.size]).toEqual([0, 1])
  peer.destroy()
  await app.close()
})
