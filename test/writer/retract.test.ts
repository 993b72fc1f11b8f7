import { describe, expect, it } from 'vitest'
import { frameOf } from '../../plugins/gateway/framing.js'
import { makeWriter, readFrames, turnEnd } from './support.js'

const [room, other] = [{}, {}]
const END = 1000

describe('retract', () => {
  it('takes out what is queued for an owner, and keeps the rest in its order', async () => {
    const { socket, writer } = makeWriter()
    writer.send('1')
    writer.sendFrames(frameOf('secret'), 'close', room)
    writer.sendFrames(frameOf('2'), 'close', other)
    writer.sendFrames(frameOf('3'))
    writer.sendFrames(frameOf('secret too'), 'drop', room)
    writer.retract(room)
    writer.send('4')
    await turnEnd()
    expect(readFrames(socket.bytes)).toEqual(['1', '2', '3', '4'])
    expect(writer.buffered).toBe(0)
  })

  it('does nothing where nothing is queued for it', async () => {
    const { socket, writer } = makeWriter()
    writer.send('1')
    const { buffered } = writer
    writer.retract(room)
    expect(writer.buffered).toBe(buffered)
    await turnEnd()
    writer.retract(room)
    expect(readFrames(socket.bytes)).toEqual(['1'])
  })

  it('finds what is left of a queue that left in part, gives its room back, and lets whole frames stand', async () => {
    const { socket, writer } = makeWriter(undefined, 1_048_576)
    socket.stuck = true
    const frames = Array.from({ length: 40 }, (_, i) => `${i} ${'x'.repeat(10_000)}`)
    for (const [i, text] of frames.entries()) {
      writer.sendFrames(frameOf(text), 'close', i % 2 === 0 ? room : other)
      if (i === 7) await turnEnd()
    }
    await turnEnd()
    const before = writer.buffered
    writer.retract(room)
    expect(writer.buffered).toBeLessThan(before - 140_000)
    writer.send(`${END}`)
    socket.unstick()
    while (writer.buffered > 0) await turnEnd()
    const numbers = readFrames(socket.bytes).map((text) => Number.parseInt(text, 10))
    expect(numbers.at(-1)).toBe(END)
    const even = numbers.filter((number) => number % 2 === 0)
    expect(even).toEqual([0, 2, 4, 6, END].slice(0, even.length - 1).concat(END))
    expect(numbers.filter((number) => number % 2 === 1)).toEqual(
      Array.from({ length: 20 }, (_, i) => 2 * i + 1),
    )
  })
})
