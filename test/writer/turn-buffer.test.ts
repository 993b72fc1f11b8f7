import { describe, expect, it } from 'vitest'
import type { EventDelivery } from '../../contract/contract.js'
import { TurnBuffer } from '../../plugins/rooms/turn-buffer.js'
import { readFrames } from './support.js'

function sink(room = Number.POSITIVE_INFINITY) {
  const taken: Uint8Array[] = []
  const refused: string[] = []
  let left = room
  return {
    taken,
    refused,
    fits: (bytes: number) => bytes <= left,
    sendFrames(bytes: Uint8Array, atBound: 'drop' | 'close') {
      if (bytes.byteLength > left) {
        refused.push(atBound)
        return false
      }
      left -= bytes.byteLength
      taken.push(bytes)
      return true
    },
    get texts() {
      return readFrames(Buffer.concat(taken))
    },
  }
}

function buffer(
  ...frames: Array<[text: string, delivery?: EventDelivery, except?: string, instead?: string]>
) {
  const turn = new TurnBuffer()
  for (const [text, delivery = 'recoverable', client, instead] of frames) {
    turn.append({ text, delivery, except: client === undefined ? undefined : { client, instead } })
  }
  return turn
}

describe('a room within one turn', () => {
  it('gives every member the same bytes', () => {
    const turn = buffer(['1'], ['2'])
    const [a, b] = [sink(), sink()]
    turn.handOut(a, 'a', 0)
    turn.handOut(b, 'b', 0)
    expect(a.texts).toEqual(['1', '2'])
    expect(a.taken[0]).toBe(b.taken[0])
  })

  it('gives who joined within the turn exactly what came after', () => {
    const turn = buffer(['1'])
    const cursor = turn.length
    turn.append({ text: '2', delivery: 'volatile' })
    const late = sink()
    turn.handOut(late, 'late', cursor)
    expect(late.texts).toEqual(['2'])
    const never = sink()
    turn.handOut(never, 'never', turn.length)
    expect(never.taken).toEqual([])
  })

  it('leaves out what is excepted, for that client alone', () => {
    const turn = buffer(['1'], ['2', 'recoverable', 'a', 'instead'], ['3', 'volatile', 'a'], ['4'])
    const [a, b] = [sink(), sink()]
    turn.handOut(a, 'a', 0)
    turn.handOut(b, 'b', 0)
    expect(a.texts).toEqual(['1', 'instead', '4'])
    expect(b.texts).toEqual(['1', '2', '3', '4'])
  })

  it('keeps its bytes as they are when the next turn begins', () => {
    const turn = buffer(['first'])
    const a = sink()
    turn.handOut(a, 'a', 0)
    turn.clear()
    turn.append({ text: 'other', delivery: 'volatile' })
    turn.handOut(sink(), 'b', 0)
    expect(a.texts).toEqual(['first'])
    expect(turn.length).toBe(1)
  })

  it('drops what is volatile for a slow member and closes at what is not', () => {
    const turn = buffer(['"11111"', 'volatile'], ['"22222"', 'volatile'], ['"33333"', 'recoverable'], ['4'])
    const slow = sink(12)
    turn.handOut(slow, 'slow', 0)
    expect(slow.texts).toEqual(['"11111"'])
    expect(slow.refused).toEqual(['drop', 'close'])
  })

  it('slices by bytes where the text is not ASCII', () => {
    const turn = buffer(['"é€😀"'])
    const cursor = turn.length
    turn.append({ text: '"ünï"', delivery: 'volatile' })
    const late = sink()
    turn.handOut(late, 'late', cursor)
    expect(late.texts).toEqual(['"ünï"'])
  })
})
