import { describe, expect, it } from 'vitest'
import { frameOf } from '../../plugins/gateway/framing.js'
import { until } from '../support/until.js'
import { makeWriter, readFrames, turnEnd } from './support.js'

describe('grouped writes', () => {
  it('sends what one turn queued in one write, in order', async () => {
    const { socket, writer } = makeWriter()
    writer.send('[18,1,null]')
    writer.send('[18,2,null]')
    writer.sendFrames(frameOf('[26]'))
    writer.send('[18,3,null]')
    expect(socket.writes).toHaveLength(0)
    await turnEnd()
    expect(socket.writes).toHaveLength(1)
    expect(readFrames(socket.bytes)).toEqual(['[18,1,null]', '[18,2,null]', '[26]', '[18,3,null]'])
  })

  it('writes shared bytes as they are, without a copy, when they are all there is', async () => {
    const { socket, writer } = makeWriter()
    const shared = frameOf('[23,"k","e",1]')
    let written: unknown
    socket._write = (chunk, _encoding, done) => {
      written = chunk
      done()
    }
    writer.sendFrames(shared)
    await turnEnd()
    expect(written).toBe(shared)
  })

  it('writes a large turn in one vectored write and keeps its order', async () => {
    const { socket, writer } = makeWriter(undefined, 1_048_576)
    const big = `"${'x'.repeat(20_000)}"`
    writer.send('1')
    writer.send('2')
    writer.sendFrames(frameOf(big))
    writer.send('3')
    writer.sendFrames(frameOf('4'))
    await turnEnd()
    expect(socket.writes).toHaveLength(1)
    expect(readFrames(socket.bytes)).toEqual(['1', '2', big, '3', '4'])
  })

  it.each([0, 1, 125, 126, 127, 65_535, 65_536, 70_000])('frames a text of %i bytes', async (length) => {
    const { socket, writer } = makeWriter(undefined, 1_048_576)
    writer.send('x'.repeat(length))
    writer.send('end')
    await turnEnd()
    expect(readFrames(socket.bytes)).toEqual(['x'.repeat(length), 'end'])
  })

  it('counts bytes, not characters, in headers and bounds', async () => {
    const { socket, writer, events } = makeWriter(undefined, 65_536)
    const text = 'é€😀'.repeat(20)
    expect(text.length).toBeLessThan(126)
    expect(Buffer.byteLength(text)).toBeGreaterThan(125)
    writer.send(text)
    await turnEnd()
    expect(readFrames(socket.bytes)).toEqual([text])
    writer.send('€'.repeat(21_844), 'drop')
    expect(events).toEqual([])
    writer.send('€'.repeat(1000), 'drop')
    await turnEnd()
    expect(events).toEqual(['1 dropped'])
  })
})

describe('the bound', () => {
  it('drops what may be dropped and takes smaller frames behind it', async () => {
    const { socket, writer, events } = makeWriter()
    socket.stuck = true
    writer.send('a'.repeat(60_000))
    await turnEnd()
    expect(writer.buffered).toBeGreaterThanOrEqual(60_000)
    expect(writer.send('b'.repeat(10_000), 'drop')).toBe(false)
    expect(writer.send('c', 'drop')).toBe(true)
    await turnEnd()
    expect(events).toEqual(['1 dropped'])
  })

  it('tells what it dropped once per turn, and what overflowed it behind that: never while somebody sends', async () => {
    const { writer, events } = makeWriter()
    writer.send('a'.repeat(60_000))
    for (let i = 0; i < 5; i++) writer.send('b'.repeat(10_000), 'drop')
    writer.drop()
    writer.send('b'.repeat(10_000))
    writer.drop()
    expect(events).toEqual([])
    await turnEnd()
    expect(events).toEqual(['6 dropped', 'overflow'])
    await turnEnd()
    expect(events).toHaveLength(2)
  })

  it('overflows once for what may not be dropped, and takes nothing after it', async () => {
    const { socket, writer, events } = makeWriter()
    socket.stuck = true
    writer.send('a'.repeat(60_000))
    expect(writer.send('b'.repeat(10_000))).toBe(false)
    expect(writer.send('c')).toBe(false)
    await turnEnd()
    expect(events).toEqual(['overflow'])
    expect(writer.buffered).toBeLessThanOrEqual(65_536)
  })

  it('ends on a frame boundary', async () => {
    const { socket, writer } = makeWriter()
    for (let i = 0; i < 10; i++) writer.send(`${i}`.repeat(9000), 'drop')
    await turnEnd()
    expect(readFrames(socket.bytes)).toHaveLength(7)
  })
})

describe('a peer that is slow', () => {
  it('is written no more than it takes, and the rest in order as it drains', async () => {
    const { socket, writer } = makeWriter(undefined, 1_048_576)
    socket.stuck = true
    const texts = Array.from({ length: 40 }, (_, i) => `${i} `.padEnd(10_000, 'x'))
    for (const text of texts.slice(0, 20)) writer.send(text)
    await turnEnd()
    for (const text of texts.slice(20)) writer.send(text)
    await turnEnd()
    expect(socket.writes).toHaveLength(1)
    expect(socket.bytes.length).toBeLessThan(80_000)
    expect(writer.buffered).toBeGreaterThan(400_000)
    socket.unstick()
    await until(() => writer.buffered === 0)
    expect(readFrames(socket.bytes)).toEqual(texts)
    for (const bytes of socket.writes) readFrames(bytes)
  })

  it('has one listener on its socket, however often it is written to, and none when it is not slow', async () => {
    const { socket, writer } = makeWriter(undefined, 1_048_576)
    const before = socket.listenerCount('drain')
    writer.send('small')
    await turnEnd()
    expect(socket.listenerCount('drain')).toBe(before)
    socket.stuck = true
    for (let i = 0; i < 10; i++) {
      writer.send('x'.repeat(20_000))
      await turnEnd()
    }
    expect(socket.listenerCount('drain')).toBe(before + 1)
    socket.unstick()
    await until(() => writer.buffered === 0)
    expect(socket.listenerCount('drain')).toBe(before)
  })

  it('loses what is queued with discard, on a frame boundary, and gets what is sent after it', async () => {
    const { socket, writer } = makeWriter(undefined, 1_048_576)
    socket.stuck = true
    for (let i = 0; i < 20; i++) writer.send(`${i} `.padEnd(10_000, 'x'))
    await turnEnd()
    writer.discard()
    writer.send('after')
    socket.unstick()
    await until(() => writer.buffered === 0)
    const texts = readFrames(socket.bytes)
    expect(texts.at(-1)).toBe('after')
    expect(texts.length).toBeLessThan(10)
  })

  it('is told everything by flushAll, however slow it is: a Close follows', async () => {
    const { socket, writer } = makeWriter(undefined, 1_048_576)
    socket.stuck = true
    for (let i = 0; i < 20; i++) writer.send(`${i} `.padEnd(10_000, 'x'))
    await turnEnd()
    writer.end()
    writer.flushAll()
    expect(writer.buffered).toBe(socket.writableLength)
    socket.unstick()
    await turnEnd()
    expect(readFrames(socket.bytes)).toHaveLength(20)
  })

  it('does not count the chunks of a turn for a peer that keeps up, but their bytes', async () => {
    const { socket, writer, events } = makeWriter(undefined, 131_072)
    const texts = Array.from({ length: 5000 }, (_, i) => `[18,${i},null]`)
    for (const text of texts) writer.send(text)
    expect(events).toEqual([])
    await turnEnd()
    expect(readFrames(socket.bytes)).toEqual(texts)
  })

  it('counts each chunk that waits towards the bound beside its bytes', async () => {
    const { socket, writer, events } = makeWriter(undefined, 131_072)
    socket.stuck = true
    writer.send('x'.repeat(70_000))
    await turnEnd()
    let sent = 0
    while (writer.send('1', 'drop')) sent++
    await turnEnd()
    expect(events).toEqual(['1 dropped'])
    expect(sent).toBeLessThan((131_072 - 70_000) / 64)
    expect(writer.fits(1)).toBe(false)
  })
})

describe('waiting for a writer to drain', () => {
  it('ends once, in a later turn, at once where nothing is held back', async () => {
    const { writer } = makeWriter()
    const told: string[] = []
    const waiter = { drained: () => void told.push('drained') }
    writer.whenDrained(waiter)
    writer.whenDrained(waiter)
    expect(told).toEqual([])
    await turnEnd()
    expect(told).toEqual(['drained'])
  })

  it('ends when the peer has taken what was held back, with at least half of the bound free', async () => {
    const { socket, writer } = makeWriter(undefined, 131_072)
    socket.stuck = true
    for (let i = 0; i < 12; i++) writer.send('x'.repeat(10_000))
    await turnEnd()
    let free: boolean | undefined
    writer.whenDrained({
      drained() {
        free = writer.fits(65_536)
      },
    })
    await turnEnd()
    expect([free, writer.fits(65_536)]).toEqual([undefined, false])
    socket.unstick()
    await until(() => free !== undefined)
    expect(free).toBe(true)
  })

  it('lets a waiter wait again without being told in the same turn', async () => {
    const { writer } = makeWriter()
    let times = 0
    const waiter = {
      drained(): void {
        if (++times < 3) writer.whenDrained(waiter)
      },
    }
    writer.whenDrained(waiter)
    await until(() => times === 3)
  })

  it('ends for whoever got nothing before those that did and wait again', async () => {
    const { writer } = makeWriter()
    const told: string[] = []
    for (const name of ['a', 'b', 'c']) {
      const waiter = {
        drained(): void {
          // One of them at a time has room.
          if (writer.isEmpty) {
            told.push(name)
            writer.send(name)
          }
          if (told.length < 6) writer.whenDrained(waiter)
        },
      }
      writer.whenDrained(waiter)
    }
    await until(() => told.length === 6)
    expect(told).toEqual(['a', 'b', 'c', 'a', 'b', 'c'])
  })

  it('never ends once the writer has', async () => {
    const { writer } = makeWriter()
    let told = false
    const waiter = {
      drained() {
        told = true
      },
    }
    writer.whenDrained(waiter)
    writer.end()
    writer.whenDrained(waiter)
    await turnEnd()
    expect(told).toBe(false)
  })
})

describe('the end', () => {
  it('writes nothing once ended but what was queued before', async () => {
    const { socket, writer } = makeWriter()
    writer.send('1')
    writer.end()
    expect(writer.send('2')).toBe(false)
    writer.flush()
    await turnEnd()
    expect(readFrames(socket.bytes)).toEqual(['1'])
  })

  it('writes nothing to a socket that is no longer writable', async () => {
    const { socket, writer } = makeWriter()
    writer.send('1')
    socket.end()
    await turnEnd()
    expect(socket.writes).toHaveLength(0)
  })
})
