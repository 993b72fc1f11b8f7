import { describe, expect, it } from 'vitest'
import { Turn } from '../../plugins/gateway/turn.js'
import { until } from '../support/until.js'
import { makeWriter, readFrames, turnEnd } from './support.js'

const busy = (ms: number): void => {
  const until = performance.now() + ms
  while (performance.now() < until);
}

describe('the turn', () => {
  it('flushes rooms before writers, so that a room and a reply leave in one write', async () => {
    const turn = new Turn(() => undefined)
    const { socket, writer } = makeWriter(turn)
    writer.send('reply')
    turn.addRoom({ flush: () => void writer.send('publication') })
    await turnEnd()
    expect(socket.writes).toHaveLength(1)
    expect(readFrames(socket.bytes)).toEqual(['reply', 'publication'])
  })

  it('writes each message by itself where grouping is turned off', () => {
    const { socket, writer } = makeWriter(new Turn(() => undefined, false))
    writer.send('1')
    writer.send('2')
    expect(socket.writes.map((bytes) => readFrames(bytes))).toEqual([['1'], ['2']])
  })

  it('goes on when one flush throws, and reports it', async () => {
    const errors: unknown[] = []
    const turn = new Turn((error) => errors.push(error))
    const { socket, writer } = makeWriter(turn)
    const broken = new Error('broken')
    turn.addWriter({
      flush() {
        throw broken
      },
    })
    writer.send('1')
    await turnEnd()
    expect(errors).toEqual([broken])
    expect(readFrames(socket.bytes)).toEqual(['1'])
  })

  it('has a time budget: the rest goes on in the next turn, order kept', async () => {
    const turn = new Turn(() => undefined)
    const order: string[] = []
    for (let i = 0; i < 96; i++) {
      turn.addWriter({
        flush() {
          order.push(`${i}`)
          if (i === 10) {
            busy(20)
            turn.addWriter({ flush: () => void order.push('late') })
          }
        },
      })
    }
    setImmediate(() => order.push('another turn'))
    await until(() => order.includes('late'))
    expect(order.indexOf('another turn')).toBe(32)
    expect(order.filter((item) => item !== 'another turn')).toEqual([
      ...Array.from({ length: 96 }, (_, i) => `${i}`),
      'late',
    ])
  })

  it('flushes a writer in each slice exactly once, whatever is queued between the slices', async () => {
    const turn = new Turn(() => undefined)
    const writers = Array.from({ length: 64 }, () => makeWriter(turn))
    turn.addWriter({ flush: () => busy(20) })
    for (const { writer } of writers) writer.send('1')
    setImmediate(() => {
      for (const { writer } of writers) writer.send('2')
    })
    const last = writers[63]
    await until(() => last !== undefined && readFrames(last.socket.bytes).length === 2)
    await turnEnd()
    for (const { socket } of writers) expect(readFrames(socket.bytes)).toEqual(['1', '2'])
  })
})
