import { describe, expect, it } from 'vitest'
import type { WebSocket } from 'ws'
import { DeflateOutlet, resolveCompression } from '../../plugins/gateway/compression.js'
import { frameOf } from '../../plugins/gateway/framing.js'
import { Turn } from '../../plugins/gateway/turn.js'
import { Writer } from '../../plugins/gateway/writer.js'
import { turnEnd } from './support.js'

/** What an outlet needs of a `ws` WebSocket; it takes nothing until `take`. */
class SlowWebSocket {
  readyState = 1
  readonly sent: Array<{ readonly data: string; readonly binary: boolean; readonly compress: boolean }> = []
  readonly #waiting: Array<{ readonly bytes: number; readonly done: () => void }> = []

  get bufferedAmount(): number {
    return this.#waiting.reduce((sum, { bytes }) => sum + bytes, 0)
  }

  send(data: string | Uint8Array, options: { binary: boolean; compress: boolean }, done: () => void): void {
    this.sent.push({ data: Buffer.from(data).toString(), ...options })
    this.#waiting.push({ bytes: Buffer.byteLength(data), done })
  }

  /** The peer has read so many messages. */
  take(count = this.#waiting.length): void {
    for (const { done } of this.#waiting.splice(0, count)) done()
  }
}

function make(maxBuffered = 131_072) {
  const socket = new SlowWebSocket()
  const events: string[] = []
  const compression = resolveCompression(true)
  if (compression === undefined) throw new Error('true is on')
  const outlet = new DeflateOutlet(socket as unknown as WebSocket, compression)
  const writer = new Writer(outlet, {
    turn: new Turn((error) => {
      throw error
    }),
    maxBuffered,
    onOverflow: () => void events.push('overflow'),
    onDrop: (count) => void events.push(`${count} dropped`),
  })
  return { socket, writer, events }
}

describe('the outlet of a compressed connection', () => {
  it('sends each message by itself, shared frames too, and compresses from the threshold on', async () => {
    const { socket, writer } = make()
    const large = 'x'.repeat(70_000)
    writer.send('small')
    writer.sendFrames(
      Buffer.concat([frameOf('a'), frameOf(Buffer.from('b')), frameOf('y'.repeat(1024)), frameOf(large)]),
    )
    await turnEnd()
    expect(
      socket.sent.map(({ data, binary, compress }) => [data.slice(0, 5), data.length, binary, compress]),
    ).toEqual([
      ['small', 5, false, false],
      ['a', 1, false, false],
      ['b', 1, true, false],
      ['yyyyy', 1024, false, true],
      ['xxxxx', 70_000, false, true],
    ])
  })

  it('counts what ws holds towards the bound', async () => {
    const { socket, writer, events } = make()
    for (let i = 0; i < 6; i++) writer.send('x'.repeat(20_000))
    await turnEnd()
    expect(socket.bufferedAmount).toBeGreaterThan(60_000)
    expect(writer.buffered).toBeGreaterThanOrEqual(120_000)
    expect(writer.send('x'.repeat(20_000), 'drop')).toBe(false)
    writer.flush()
    expect(events).toEqual(['1 dropped'])
  })

  it('gives ws no more than it takes, and goes on in order', async () => {
    const { socket, writer } = make(1_048_576)
    const texts = Array.from({ length: 40 }, (_, i) => `${i} `.padEnd(20_000, 'x'))
    for (const text of texts) writer.send(text)
    await turnEnd()
    expect(socket.sent.length).toBeLessThan(8)
    while (socket.sent.length < texts.length) {
      const before = socket.sent.length
      socket.take()
      await turnEnd()
      expect(socket.sent.length).toBeGreaterThan(before)
      expect(socket.bufferedAmount).toBeLessThan(150_000)
    }
    expect(socket.sent.map(({ data }) => data)).toEqual(texts)
  })

  it('sends nothing once it is closing', async () => {
    const { socket, writer } = make()
    writer.send('late')
    socket.readyState = 2
    await turnEnd()
    expect([socket.sent, writer.buffered]).toEqual([[], 0])
  })
})
