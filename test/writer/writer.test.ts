import { describe, expect, it } from 'vitest'
import { frameOf } from '../../plugins/gateway/framing.js'
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
    expect(events).toEqual(['drop'])
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
    expect(events).toEqual(['drop'])
  })

  it('overflows once for what may not be dropped, and takes nothing after it', () => {
    const { socket, writer, events } = makeWriter()
    socket.stuck = true
    writer.send('a'.repeat(60_000))
    expect(writer.send('b'.repeat(10_000))).toBe(false)
    expect(writer.send('c')).toBe(false)
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
