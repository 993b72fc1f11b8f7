import { describe, expect, it } from 'vitest'
import { type Connection, type ConnectionSlots, Message } from '../../plugins/gateway/index.js'
import type { Writer } from '../../plugins/gateway/writer.js'
import { LATEST_BYTES, LATEST_KEYS, type Publication } from '../../plugins/rooms/broker.js'
import { Member } from '../../plugins/rooms/member.js'
import { Latest } from '../../plugins/rooms/memory/latest.js'
import { Owed } from '../../plugins/rooms/owed.js'
import type { Room } from '../../plugins/rooms/room.js'
import { makeWriter, readFrames, turnEnd } from '../writer/support.js'

const BOUND = 131_072
const value = (latestKey: string, payload = '1'): Publication => ({
  event: 'price',
  delivery: 'latest',
  payload,
  latestKey,
  position: undefined,
})
/** A room whose messages are their payloads. */
const room = {
  encode: ({ payload }: Publication) => new Message(payload, () => new Uint8Array()),
} as unknown as Room
const connectionOf = (writer: Writer): Connection =>
  ({
    writer,
    maxBuffered: BOUND,
    codec: { binary: false },
    sessionKey: 's',
    slots: {},
  }) as unknown as Connection

function owed() {
  const slots: ConnectionSlots = {}
  const kept = new Owed(slots)
  const texts = (): string[] => {
    const all: string[] = []
    kept.take(({ payload, latestKey = '' }) => {
      all.push(latestKey)
      expect(payload).not.toBe('old')
      return true
    })
    return all
  }
  return { kept, slots, texts }
}

describe('what a member is owed', () => {
  it('is the newest value of each key, the longest unchanged first', () => {
    const { kept, texts } = owed()
    for (const [key, text] of [
      ['a', 'old'],
      ['b', '1'],
      ['a', '2'],
    ] as const)
      kept.set(value(key, text))
    expect([kept.count, texts()]).toEqual([2, ['b', 'a']])
  })

  it('stays where it is refused, and what was taken is not owed any more', () => {
    const { kept, slots } = owed()
    for (const key of ['a', 'b', 'c']) kept.set(value(key))
    kept.take(({ latestKey }) => latestKey === 'a')
    expect(kept.count).toBe(2)
    expect(slots.owed).toBeGreaterThan(0)
    kept.clear()
    expect([kept.count, slots.owed]).toEqual([0, 0])
  })

  it('is all that its room keeps, at the bounds of keys and bytes, and no more', () => {
    const [latest, { kept, texts }] = [new Latest(), owed()]
    const payload = 'é'.repeat(20)
    for (let i = 0; i < LATEST_KEYS + 5; i++) {
      latest.set(value(`k${i}`, payload))
      kept.set(value(`k${i}`, payload))
    }
    expect(kept.count).toBeLessThanOrEqual(LATEST_KEYS)
    const given = new Set(texts())
    for (const { latestKey = '' } of latest.values('')) expect(given.has(latestKey)).toBe(true)

    for (const key of ['a', 'b', 'c']) kept.set(value(key, 'x'.repeat(LATEST_BYTES / 3)))
    expect(texts()).toEqual(['b', 'c'])
  })
})

describe('a member that has drained', () => {
  it('is sent up to half of its bound at a time, until it is owed nothing', async () => {
    const { socket, writer } = makeWriter(undefined, BOUND)
    const member = new Member(room, connectionOf(writer), undefined, 1)
    socket.stuck = true
    const texts = Array.from({ length: 100 }, (_, i) => `${i} `.padEnd(2000, 'x'))
    for (const [i, text] of texts.entries()) member.owe(value(`${i}`, text))
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

  it('shares its connection with its other rooms: they all wait for room, and leave half of it', async () => {
    const { socket, writer, events } = makeWriter(undefined, BOUND)
    const connection = connectionOf(writer)
    socket.stuck = true
    const texts = Array.from({ length: 600 }, (_, i) => `${i} `.padEnd(2000, 'x'))
    const members = texts.map((text, i) => {
      const member = new Member(room, connection, undefined, 1)
      member.owe(value(`${i}`, text))
      return member
    })
    writer.send('first')
    await turnEnd()
    while (members.some(({ owes }) => owes > 0)) {
      socket.unstick()
      await turnEnd()
      expect(writer.fits(BOUND / 2)).toBe(true)
    }
    await turnEnd()
    expect(readFrames(socket.bytes)).toEqual(['first', ...texts])
    expect([events, connection.slots.owed]).toEqual([[], 0])
  })

  it('is not sent its next values before its other rooms their first, however fast its own change', async () => {
    const { socket, writer } = makeWriter(undefined, BOUND)
    const connection = connectionOf(writer)
    socket.stuck = true
    const [busy, calm] = [1, 2].map((seq) => new Member(room, connection, undefined, seq)) as [Member, Member]
    // More than half of the bound, all of it anew between any two drains.
    const change = (round: number): void => {
      for (let i = 0; i < 40; i++) busy.owe(value(`k${i}`, `busy ${round} `.padEnd(2000, 'x')))
    }
    change(0)
    const text = 'calm '.padEnd(2000, 'x')
    calm.owe(value('b', text))
    writer.send('first')
    await turnEnd()
    for (let round = 1; round <= 4; round++) {
      change(round)
      socket.unstick()
      await turnEnd()
      socket.stuck = true
    }
    expect(readFrames(socket.bytes)).toContain(text)
    expect([calm.owes, busy.owes > 0]).toEqual([0, true])
  })

  it('is not sent a value that fits no connection, nor closed for it', () => {
    const { writer, events } = makeWriter(undefined, BOUND)
    const member = new Member(room, connectionOf(writer), undefined, 1)
    member.owe(value('a', 'x'.repeat(BOUND + 1)))
    member.owe(value('b'))
    member.drained()
    writer.flush()
    expect([member.owes, events]).toEqual([0, ['1 dropped']])
  })

  it('is sent no value of a log that was lost: what follows a restart is of the new one', async () => {
    const { socket, writer } = makeWriter(undefined, BOUND)
    const connection = connectionOf(writer)
    Object.assign(connection, { send: (frame: unknown) => writer.send(JSON.stringify(frame)) })
    const member = new Member(room, connection, undefined, 1)
    member.owe(value('lost', 'of the old log'))
    member.restart({ epoch: 'new', offset: 0, tag: 0 }, 'epoch')
    member.owe(value('kept', 'of the new log'))
    writer.flush()
    member.drained()
    await turnEnd()
    expect(readFrames(socket.bytes)).toEqual(['[22,1,null,0,["new",0,0],"epoch"]', 'of the new log'])
  })

  it('is waited for no longer when its membership is over', () => {
    const { writer } = makeWriter(undefined, BOUND)
    const connection = connectionOf(writer)
    const member = new Member(room, connection, undefined, 1)
    member.owe(value('a'))
    expect(writer.waiting).toBe(1)
    member.end()
    expect([writer.waiting, connection.slots.owed]).toEqual([0, 0])
  })

  it('is closed where all it is owed is more than one connection may be', () => {
    const { writer, events } = makeWriter(undefined, BOUND)
    const connection = connectionOf(writer)
    const payload = 'x'.repeat(400_000)
    for (let i = 0; i < 200; i++) new Member(room, connection, undefined, 1).owe(value('a', payload))
    writer.flush()
    expect(events).toEqual(['overflow'])
    expect(connection.slots.owed).toBeLessThan(33_554_432 + 500_000)
  })

  it('is sent a value that is larger than half of its bound', () => {
    const { writer, events } = makeWriter(undefined, BOUND)
    const member = new Member(room, connectionOf(writer), undefined, 1)
    member.owe(value('a', 'x'.repeat(BOUND - 1000)))
    member.drained()
    expect([member.owes, events]).toEqual([0, []])
  })
})
