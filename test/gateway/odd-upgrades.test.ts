/** Upgrades that no good client sends: slow, long, with a body, again and again. */
import { afterEach, describe, expect, it } from 'vitest'
import { connectBytes, upgradeRequest, wsFrame } from '../support/raw-bytes.js'
import { abortAll } from '../support/raw-client.js'
import { eventually, hello, listenTiny, makeApp, socketsOf } from './support.js'

afterEach(abortAll)

const serve = async (options: Parameters<typeof makeApp>[0] = {}) => {
  const made = makeApp(options)
  const url = `ws://127.0.0.1:${await listenTiny(made.app)}/live`
  return { ...made, url, gateway: made.app.ackordGateway.gateway }
}

describe('an upgrade whose head comes byte by byte', () => {
  it('ends at the headers time-out of the server, and takes nothing of ours', async () => {
    const { app, url, gateway } = await serve({
      http: { headersTimeout: 300, connectionsCheckingInterval: 50 },
    })
    expect(app.server.headersTimeout).toBe(300)
    const request = upgradeRequest(url)
    const peers = await Promise.all(Array.from({ length: 20 }, () => connectBytes(url)))
    let sent = 0
    const drip = setInterval(() => {
      for (const peer of peers) if (!peer.socket.destroyed) peer.write(request.charAt(sent))
      sent++
    }, 10)
    try {
      for (const peer of peers) expect((await peer.ended()).toString()).toMatch(/^HTTP\/1\.1 408 /)
    } finally {
      clearInterval(drip)
    }
    // It was not simply over.
    expect(sent).toBeLessThan(request.length)
    await eventually(async () => expect(await socketsOf(app)).toBe(0))
    expect([gateway.upgrades.size, gateway.caps.connections.size]).toEqual([0, 0])
  })
})

describe('an upgrade', () => {
  const opened = async (url: string, headers: Record<string, string>) => {
    const socket = await connectBytes(url)
    socket.write(upgradeRequest(url, headers))
    const head = await socket.until('\r\n\r\n')
    socket.destroy()
    return Number(head.split(' ')[1])
  }

  it('may have a hundred headers, but no more than the server reads', async () => {
    const { app, url } = await serve()
    const many = Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`x-${i}`, 'y'.repeat(50)]))
    expect(await opened(url, many)).toBe(101)
    expect(await opened(url, { 'x-long': 'y'.repeat(17_000) })).toBe(431)
    await eventually(async () => expect(await socketsOf(app)).toBe(0))
  })

  it('with a body is refused, and nothing of the body is read as a frame', async () => {
    const { app, url, gateway, lines } = await serve()
    const frames = wsFrame({ payload: JSON.stringify(hello()) })
    for (const headers of [
      { 'content-length': String(frames.length) },
      { 'transfer-encoding': 'chunked' },
      { 'content-length': '007' },
    ]) {
      const socket = await connectBytes(url)
      socket.write(Buffer.concat([Buffer.from(upgradeRequest(url, headers)), frames]))
      const answer = (await socket.ended()).toString()
      expect(answer).toMatch(/^HTTP\/1\.1 400 /)
      expect(answer).toContain('"code":"BODY"')
    }
    expect(await opened(url, { 'content-length': '0' })).toBe(101)
    await eventually(async () => expect(await socketsOf(app)).toBe(0))
    expect(gateway.sockets.size).toBe(0)
    expect(lines.filter(({ level }) => Number(level) > 40)).toEqual([])
  })

  it('pipelined twice is one upgrade: the second is its first frame, and a broken one', async () => {
    const { app, url } = await serve()
    const socket = await connectBytes(url)
    socket.write(upgradeRequest(url) + upgradeRequest(url))
    const answer = (await socket.ended()).toString('latin1')
    expect(answer.split('HTTP/1.1').length).toBe(2)
    expect(answer).toMatch(/^HTTP\/1\.1 101 /)
    await eventually(async () => expect(await socketsOf(app)).toBe(0))
  })

  it('that is refused again and again warns once, and says how often it did not', async () => {
    const { url, warnings, gateway } = await serve()
    for (let i = 0; i < 200; i++) expect(await opened(url, { origin: 'https://evil.example' })).toBe(403)
    expect(warnings()).toMatchObject([{ origin: 'https://evil.example', unsaid: 0 }])
    for (let i = 0; i < 150; i++) expect(await opened(url, { origin: `https://${i}.example` })).toBe(403)
    expect(warnings()).toHaveLength(100)
    expect(warnings()[1]).toMatchObject({ origin: 'https://0.example', unsaid: 199 })
    expect(gateway.counters.refused.read()).toEqual({ ORIGIN_FORBIDDEN: 350 })
    expect(await opened(url, { origin: `https://${'x'.repeat(5000)}` })).toBe(403)
  })
})
