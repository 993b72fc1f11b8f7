import { describe, expect, it } from 'vitest'
import type { EventDelivery } from '../../contract/contract.js'
import { Message } from '../../plugins/gateway/message.js'
import type { Publication } from '../../plugins/rooms/broker.js'
import { type Recipient, TurnBuffer } from '../../plugins/rooms/turn-buffer.js'
import { readFrames } from './support.js'

const pack = (text: string): Uint8Array => Buffer.from(`packed ${text}`)
const message = (text: string): Message => new Message(text, pack)

interface Options {
  readonly room?: number
  readonly cursor?: number
  readonly binary?: boolean
}

function member(
  client: string,
  { room = Number.POSITIVE_INFINITY, cursor = 0, binary = false }: Options = {},
) {
  const taken: Uint8Array[] = []
  const refused: string[] = []
  const owed = new Map<string, string>()
  let left = room
  const recipient: Recipient = {
    client,
    binary,
    cursor,
    get owes() {
      return owed.size
    },
    owe: ({ latestKey = '', payload }) => void owed.set(latestKey, payload),
    forget: ({ latestKey = '' }) => void owed.delete(latestKey),
    sink: {
      fits: (bytes) => bytes <= left,
      drop: () => void refused.push('drop'),
      sendFrames(bytes, atBound) {
        if (bytes.byteLength > left) {
          refused.push(atBound)
          return false
        }
        left -= bytes.byteLength
        taken.push(bytes)
        return true
      },
    },
  }
  return {
    recipient,
    taken,
    refused,
    owed,
    free(bytes: number) {
      left = bytes
    },
    get texts() {
      return readFrames(Buffer.concat(taken))
    },
  }
}

type Published = [
  text: string,
  delivery?: EventDelivery | undefined,
  except?: string | undefined,
  instead?: string | undefined,
  latestKey?: string | undefined,
]

function publish(turn: TurnBuffer, ...frames: Published[]): void {
  for (const [text, delivery = 'recoverable', except, instead, latestKey] of frames) {
    const publication: Publication = {
      event: 'e',
      delivery,
      payload: text,
      except,
      latestKey,
      position: undefined,
    }
    turn.append({ publication, message: message(text), ...(instead && { instead: message(instead) }) })
  }
}

function buffer(...frames: Published[]): TurnBuffer {
  const turn = new TurnBuffer()
  publish(turn, ...frames)
  return turn
}

describe('a room within one turn', () => {
  it('gives every member the same bytes', () => {
    const turn = buffer(['1'], ['2'])
    const [a, b] = [member('a'), member('b')]
    for (const { recipient } of [a, b]) turn.handOut(recipient)
    expect(a.texts).toEqual(['1', '2'])
    expect(a.taken[0]).toBe(b.taken[0])
  })

  it('gives the members of each codec its bytes, the same for all of them', () => {
    const turn = buffer(['1'], ['2'])
    const [text, binary, other] = [
      member('a'),
      member('b', { binary: true }),
      member('c', { binary: true, cursor: 1 }),
    ]
    for (const { recipient } of [text, binary, other]) turn.handOut(recipient)
    expect(text.texts).toEqual(['1', '2'])
    expect(binary.texts).toEqual(['packed 1', 'packed 2'])
    expect(other.texts).toEqual(['packed 2'])
    expect(other.taken[0]?.buffer).toBe(binary.taken[0]?.buffer)
  })

  it('gives who joined within the turn exactly what came after', () => {
    const turn = buffer(['1'])
    const late = member('late', { cursor: turn.length })
    publish(turn, ['2', 'volatile'])
    turn.handOut(late.recipient)
    expect(late.texts).toEqual(['2'])
    const never = member('never', { cursor: turn.length })
    turn.handOut(never.recipient)
    expect(never.taken).toEqual([])
  })

  it('leaves out what is excepted, for that client alone', () => {
    const turn = buffer(['1'], ['2', 'recoverable', 'a', 'instead'], ['3', 'volatile', 'a'], ['4'])
    const [a, b] = [member('a'), member('b')]
    for (const { recipient } of [a, b]) turn.handOut(recipient)
    expect(a.texts).toEqual(['1', 'instead', '4'])
    expect(b.texts).toEqual(['1', '2', '3', '4'])
  })

  it('keeps its bytes as they are when the next turn begins', () => {
    const turn = buffer(['first'])
    const a = member('a')
    turn.handOut(a.recipient)
    turn.clear()
    publish(turn, ['other', 'volatile'])
    turn.handOut(member('b').recipient)
    expect(a.texts).toEqual(['first'])
    expect(turn.length).toBe(1)
  })

  it('slices by bytes where the text is not ASCII', () => {
    const turn = buffer(['"é€😀"'])
    const late = member('late', { cursor: turn.length })
    publish(turn, ['"ünï"', 'volatile'])
    turn.handOut(late.recipient)
    expect(late.texts).toEqual(['"ünï"'])
  })
})

describe('a slow member', () => {
  it('loses what is volatile, and is closed at what is neither that nor latest', () => {
    const turn = buffer(['"11111"', 'volatile'], ['"22222"', 'volatile'], ['"33333"', 'recoverable'], ['4'])
    const slow = member('slow', { room: 12 })
    turn.handOut(slow.recipient)
    expect(slow.texts).toEqual(['"11111"'])
    expect(slow.refused).toEqual(['drop', 'close'])
  })

  it('is owed the newest latest value of each key, and gets all else that fits', () => {
    const latest = (text: string, key: string): Published => [text, 'latest', undefined, undefined, key]
    const turn = buffer(latest('"a old"', 'a'), latest('"b"', 'b'), latest('"a new"', 'a'), ['5', 'volatile'])
    const slow = member('slow', { room: 4 })
    turn.handOut(slow.recipient)
    expect(slow.texts).toEqual(['5'])
    expect([...slow.owed]).toEqual([
      ['a', '"a new"'],
      ['b', '"b"'],
    ])
    expect(slow.refused).toEqual([])
  })

  it('is not owed any more what a newer value has replaced, sent or not meant for it', () => {
    const turn = buffer(
      ['1', 'latest', undefined, undefined, 'a'],
      ['2', 'latest', undefined, undefined, 'b'],
    )
    const slow = member('slow', { room: 0 })
    turn.handOut(slow.recipient)
    expect(slow.owed.size).toBe(2)
    turn.clear()
    publish(turn, ['3', 'latest', undefined, undefined, 'a'], ['4', 'latest', 'slow', undefined, 'b'])
    slow.free(100)
    turn.handOut(slow.recipient)
    expect([slow.texts, slow.owed.size]).toEqual([['3'], 0])
  })

  it('is not owed any more what a newer value has replaced, also where all of the turn fits', () => {
    const slow = member('slow', { room: 0 })
    const turn = buffer(['1', 'latest', undefined, undefined, 'a'])
    turn.handOut(slow.recipient)
    turn.clear()
    publish(turn, ['2', 'latest', undefined, undefined, 'a'], ['3', 'volatile'])
    slow.free(100)
    turn.handOut(slow.recipient)
    expect([slow.texts, slow.owed.size]).toEqual([['2', '3'], 0])
  })
})
