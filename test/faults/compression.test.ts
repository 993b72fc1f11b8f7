import { randomBytes } from 'node:crypto'
import { deflateRawSync } from 'node:zlib'
import { afterEach, describe, expect, it } from 'vitest'
import type { CompressionOptions } from '../../plugins/gateway/compression.js'
import { eventually } from '../gateway/support.js'
import { OPCODE, wsFrame } from '../support/raw-bytes.js'
import { abortAll, connect, type RawClient } from '../support/raw-client.js'
import { contract, type ServerOptions, startServer } from '../support/server.js'

afterEach(abortAll)

const COMPRESSED = 4

async function serve(options: ServerOptions = {}) {
  const server = await startServer({ compression: { threshold: 200 }, ...options })
  let sessions = 0
  return {
    ...server,
    async enterDeflated(user: string): Promise<RawClient> {
      const client = await connect(server.url, { deflate: true })
      client.send([1, `d${++sessions}`, contract.hash, '1.0.0', [], user])
      await client.next(17)
      return client
    },
  }
}

const upgrade = async (url: string, extensions: string): Promise<string> => {
  const client = await connect(url, { headers: { 'sec-websocket-extensions': extensions } })
  const granted = client.extensions
  client.abort()
  return granted
}

const message = (text: string) => ({ id: 'm', text })

describe('permessage-deflate', () => {
  it('is off unless asked for', async () => {
    const { url } = await startServer()
    const client = await connect(url, { deflate: true })
    expect(client.extensions).toBe('')
  })

  it('is granted to who offers it, bounded, and not to who does not', async () => {
    const { url } = await serve()
    expect((await connect(url)).extensions).toBe('')
    expect((await connect(url, { deflate: true })).extensions).toBe('permessage-deflate')
  })

  it.each([
    ['permessage-deflate; server_max_window_bits=9', ''],
    ['permessage-deflate; unheard_of', ''],
    ['permessage-deflate; client_max_window_bits; client_max_window_bits', ''],
    ['permessage-deflate; client_max_window_bits=99', ''],
    ['x-other', ''],
    ['"', ''],
    ['', ''],
  ])('is left out, not refused, where the offer is %j', async (offer, granted) => {
    const { url } = await serve()
    expect(await upgrade(url, offer)).toBe(granted)
  })

  it.each<[boolean | CompressionOptions, string]>([
    [true, 'started'],
    [false, 'started'],
    [{ threshold: 0, level: 1, memLevel: 1, windowBits: 9 }, 'started'],
    [{ threshold: 1_048_576, level: 9, memLevel: 9, windowBits: 15 }, 'started'],
    [{ windowBits: 8 }, 'compression.windowBits: an integer from 9 to 15, not 8'],
    [{ level: 0 }, 'compression.level: an integer from 1 to 9, not 0'],
    [{ memLevel: 5.5 }, 'compression.memLevel: an integer from 1 to 9, not 5.5'],
    [JSON.parse('{"windowbits":9}'), 'compression.windowbits: no such option'],
  ])('takes %j as an option: %s', async (compression, outcome) => {
    const started = startServer({ compression }).then(
      () => 'started',
      (error: unknown) => String(error),
    )
    expect(await started).toContain(outcome)
  })
})

describe('a compressed connection', () => {
  it('keeps the order of small and large messages, rooms and acks, and control frames', async () => {
    const { enterDeflated, live } = await serve()
    const client = await enterDeflated('alice')
    client.send([6, 1, 'channel', { id: 'a' }])
    await client.next(22)
    const room = live.room.channel({ id: 'a' })
    const expected: string[] = []
    for (let i = 0; i < 40; i++) {
      const text = `${i} `.padEnd(i % 3 === 0 ? 900 : 5, 'é')
      expected.push(text, text)
      await room.publish('posted', message(text))
      client.send([2, i + 2, 'echo', { text }])
      await client.nextWhere(([type, seq]) => type === 18 && seq === i + 2, 'the ack')
    }
    await client.ping()
    const texts = client.frames.filter(([type]) => type === 23 || type === 18)
    expect(texts.map((frame) => ((frame[3] ?? frame[2]) as { text: string }).text)).toEqual(expected)
  })

  it('gets fewer bytes than one that is not, and the same messages', async () => {
    const { enterDeflated, enter, live } = await serve()
    const [small, plain] = [await enterDeflated('alice'), await enter('bob')]
    for (const client of [small, plain]) {
      client.send([6, 1, 'channel', { id: 'a' }])
      await client.next(22)
    }
    const before = [small, plain].map(({ socket }) => socket.bytesRead)
    const text = 'the same again '.repeat(60)
    for (let i = 0; i < 20; i++) await live.room.channel({ id: 'a' }).publish('posted', message(text))
    for (const client of [small, plain]) for (let i = 0; i < 20; i++) await client.next(23)
    const [less = 0, more = 0] = [small, plain].map(({ socket }, i) => socket.bytesRead - (before[i] ?? 0))
    expect(less).toBeLessThan(more / 4)
    expect(small.frames.slice(2)).toEqual(plain.frames.slice(2))
  })

  it('has its queued answers before a Close, whoever closes', async () => {
    const { enterDeflated, live } = await serve()
    const client = await enterDeflated('alice')
    const text = 'x'.repeat(900)
    client.send([2, 1, 'echo', { text }])
    client.send([2, 2, 'echo', { text }])
    client.close(1000)
    await client.closed()
    expect(client.frames.filter(([type]) => type === 18)).toHaveLength(2)

    const other = await enterDeflated('bob')
    live.user('bob').send('notice', message(text))
    for (const connection of live.connections()) connection.disconnect()
    expect((await other.closed()).code).toBe(4509)
    expect(other.frames.filter(([type]) => type === 21)).toHaveLength(1)
  })

  it('is bounded with what ws has queued, and closed at the bound', async () => {
    const { enterDeflated, live, gateway } = await serve({ maxBuffered: 262_144 })
    const slow = await enterDeflated('slow')
    slow.send([6, 1, 'channel', { id: 'a' }])
    await slow.next(22)
    slow.pause()
    const room = live.room.channel({ id: 'a' })
    // What does not compress fills the peer's buffers soonest.
    while (room.connections().length > 0) {
      for (let i = 0; i < 20; i++) await room.publish('posted', message(randomBytes(1500).toString('base64')))
      for (const { writer } of gateway.sockets) expect(writer.buffered).toBeLessThanOrEqual(262_144 + 64)
      await new Promise((resolve) => setImmediate(resolve))
    }
    slow.resume()
    expect((await slow.closed()).code).toBe(1013)
  }, 30_000)

  it('may not send what inflates beyond maxPayload', async () => {
    const { enterDeflated, gateway } = await serve()
    const client = await enterDeflated('alice')
    // 16 MiB of one byte, in 16 KiB.
    const bomb = deflateRawSync(Buffer.alloc(16_777_216, 0x20))
    expect(bomb.length).toBeLessThan(65_536)
    client.write(wsFrame({ opcode: OPCODE.text, rsv: COMPRESSED, payload: bomb }))
    expect((await client.closed()).code).toBe(1009)
    await eventually(() => expect(gateway.sockets.size).toBe(0))
  })

  it('is closed with 1007 for what does not inflate', async () => {
    const { enterDeflated } = await serve()
    const client = await enterDeflated('alice')
    client.write(wsFrame({ opcode: OPCODE.text, rsv: COMPRESSED, payload: Buffer.from([0xff, 0xff, 0xff]) }))
    expect((await client.closed()).code).toBe(1007)
  })

  it('that ends while something is compressed leaves nothing behind', async () => {
    const { enterDeflated, live, gateway, lines } = await serve()
    for (let i = 0; i < 20; i++) {
      const client = await enterDeflated(`user${i}`)
      live.user(`user${i}`).send('notice', message('x'.repeat(100_000)))
      await new Promise((resolve) => setImmediate(resolve))
      client.abort({ reset: i % 2 === 0 })
    }
    await eventually(() => expect(gateway.sockets.size).toBe(0))
    expect(lines.filter(({ level }) => Number(level) >= 40)).toEqual([])
  })
})
