import { describe, expect, it } from 'vitest'
import { type Connection, Message } from '../../plugins/gateway/index.js'
import { LATEST_BYTES, LATEST_KEYS, type Publication } from '../../plugins/rooms/broker.js'
import { Latest } from '../../plugins/rooms/latest.js'
import { Member } from '../../plugins/rooms/member.js'
import { Owed } from '../../plugins/rooms/owed.js'
import { makeWriter, readFrames, turnEnd } from '../writer/support.js'

const BOUND = 131_072
const value = (latestKey: string, payload = '1'): Publication => ({
  event: 'price',
  delivery: 'latest',
  payload,
  latestKey,
  position: undefined,
})
const message = (text: string): Message => new Message(text, () => new Uint8Array())

function owed() {
  const kept = new Owed()
  const texts = (): string[] => {
    const all: string[] = []
    kept.take(({ text }) => {
      all.push(text)
      return true
    })
    return all
  }
  return { kept, texts }
}

describe('what a member is owed', () => {
  it('is the newest value of each key, the longest unchanged first', () => {
    const { kept, texts } = owed()
    for (const [key, text] of [
      ['a', 'a1'],
      ['b', 'b1'],
      ['a', 'a2'],
    ] as const)
      kept.set(value(key), message(text))
    expect([kept.count, texts()]).toEqual([2, ['b1', 'a2']])
  })

  it('stays where it is refused, and what was taken is not owed any more', () => {
    const { kept } = owed()
    for (const key of ['a', 'b', 'c']) kept.set(value(key), message(key))
    kept.take(({ text }) => text === 'a')
    expect(kept.count).toBe(2)
  })

  it('is all that its room keeps, at the bounds of keys and bytes, and no more', () => {
    const [latest, { kept, texts }] = [new Latest(), owed()]
    const payload = 'é'.repeat(20)
    for (let i = 0; i < LATEST_KEYS + 5; i++) {
      latest.set(value(`k${i}`, payload))
      kept.set(value(`k${i}`, payload), message(`k${i}`))
    }
    expect(kept.count).toBeLessThanOrEqual(LATEST_KEYS)
    const given = new Set(texts())
    for (const { latestKey = '' } of latest.values('')) expect(given.has(latestKey)).toBe(true)

    for (const key of ['a', 'b', 'c']) kept.set(value(key, 'x'.repeat(LATEST_BYTES / 3)), message(key))
    expect(texts()).toEqual(['b', 'c'])
  })
})

describe('a member that has drained', () => {
  it('is sent up to half of its bound at a time, until it is owed nothing', async () => {
    const { socket, writer } = makeWriter(undefined, BOUND)
    const connection = { writer, maxBuffered: BOUND, codec: { binary: false }, sessionKey: 's' }
    const member = new Member(connection as unknown as Connection, undefined, 1)
    socket.stuck = true
    const texts = Array.from({ length: 100 }, (_, i) => `${i} `.padEnd(2000, 'x'))
    for (const [i, text] of texts.entries()) member.owe(value(`${i}`), message(text))
    member.drained()
    expect(writer.buffered).toBeGreaterThan(BOUND / 4)
    expect(writer.fits(BOUND / 2)).toBe(true)
    while (member.owes > 0) {
      socket.unstick()
      await turnEnd()
    }
    await turnEnd()
    expect(readFrames(socket.bytes)).toEqual(texts)
  })

  it('is sent a value that is larger than half of its bound', () => {
    const { writer, events } = makeWriter(undefined, BOUND)
    const connection = { writer, maxBuffered: BOUND, codec: { binary: false }, sessionKey: 's' }
    const member = new Member(connection as unknown as Connection, undefined, 1)
    member.owe(value('a'), message('x'.repeat(BOUND - 1000)))
    member.drained()
    expect([member.owes, events]).toEqual([0, []])
  })
})
