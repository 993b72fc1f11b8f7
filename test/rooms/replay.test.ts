import { describe, expect, it } from 'vitest'
import { type Connection, Message } from '../../plugins/gateway/index.js'
import type { Publication } from '../../plugins/rooms/broker.js'
import { replayOf } from '../../plugins/rooms/replay.js'
import type { Room } from '../../plugins/rooms/room.js'
import { eventually } from '../gateway/support.js'
import { contract, startServer } from '../support/server.js'
import { makeWriter } from '../writer/support.js'

const message = (text: string) => ({ id: 'm', text })
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

describe('JOINs of one flight whose replays do not fit together', () => {
  it('are all answered: what does not fit behind the others is a gap, and the connection stays', async () => {
    const { connect, live, gateway } = await startServer()
    const rooms = ['a', 'b', 'c', 'd']
    for (const id of rooms) {
      for (let i = 0; i < 10; i++)
        await live.room.channel({ id }).publish('posted', message('x'.repeat(40_000)))
    }
    const client = await connect()
    client.send([1, 'session', contract.hash, '1.0.0', [], 'ann'])
    for (const [i, id] of rooms.entries()) client.send([6, i + 1, 'channel', { id }, null, 100])
    const replays: unknown[] = []
    for (const _ of rooms) {
      const [, , , replayed, , gap] = await client.next(22)
      replays.push([replayed, gap])
    }
    expect(replays[0]).toEqual([10, null])
    expect(replays.at(-1)).toEqual([0, 'tooMany'])
    await client.ping()
    const expected = replays.filter((each) => (each as number[])[0] === 10).length * 10
    expect(client.frames.filter(([type]) => type === 23)).toHaveLength(expected)
    expect(gateway.counters.closed).toBe(0)
  })

  it('leave room for the JOINED of many others', async () => {
    const { connect, live, gateway } = await startServer({ maxBuffered: 131_072 })
    // Fills all but 8 KiB, which the JOINED of the others are more than.
    for (let i = 0; i < 13; i++)
      await live.room.channel({ id: 'a' }).publish('posted', message('x'.repeat(9360)))
    const client = await connect()
    client.send([1, 'session', contract.hash, '1.0.0', [], 'ann'])
    client.send([6, 1, 'channel', { id: 'a' }, null, 100])
    for (let i = 2; i <= 15; i++)
      client.send([6, i, 'channel', { id: `${i}`.repeat(200), lang: 'é'.repeat(300) }])
    for (let i = 1; i <= 15; i++) await client.next(22)
    await client.ping()
    expect(gateway.counters.closed).toBe(0)
  })
})

describe('current values that a joiner is owed', () => {
  const value = (latestKey: string, bytes: number): Publication => ({
    event: 'price',
    delivery: 'latest',
    payload: 'x'.repeat(bytes),
    latestKey,
    position: undefined,
  })

  it('are the publications that the broker holds: none is encoded before there is room for it', () => {
    const encoded: string[] = []
    const room = {
      encode: ({ payload, latestKey = '' }: Publication) => {
        encoded.push(latestKey)
        return new Message(payload, () => new Uint8Array())
      },
    } as unknown as Room
    const bound = 131_072
    const { writer } = makeWriter(undefined, bound)
    const connection = { writer, maxBuffered: bound, codec: { binary: false }, sessionKey: 's', slots: {} }
    const latest = Array.from({ length: 20 }, (_, i) => value(`${i}`, 10_000))
    const { messages, owed } = replayOf(
      room,
      connection as unknown as Connection,
      { publications: [], latest, position: undefined, gap: undefined },
      [],
    )
    expect(messages.length).toBeGreaterThan(0)
    expect(owed).toEqual(latest.slice(messages.length))
    for (const [i, publication] of owed.entries()) expect(publication).toBe(latest[messages.length + i])
    // One is encoded to see that it does not fit.
    expect(encoded).toHaveLength(messages.length + 1)
  })

  it('are bounded per connection: JOIN is then refused, until it has read', async () => {
    const { enter, live, gateway } = await startServer()
    const count = 90
    const symbols = Array.from({ length: 8 }, (_, i) => `${i}`.padEnd(60_000, 'x'))
    for (let id = 0; id < count; id++) {
      const room = live.room.channel({ id: `${id}` })
      for (const symbol of symbols) await room.publish('price', { symbol, value: id })
    }
    const client = await enter('ann')
    client.pause()
    const [connection] = gateway.sockets
    if (connection === undefined) throw new Error('not connected')
    for (let i = 0; i < 1000 && connection.writer.fits(600_000); i++) {
      live.user('ann').send('notice', message('x'.repeat(60_000)))
      await turn()
    }
    for (let id = 0; id < count; id++) client.send([6, id + 1, 'channel', { id: `${id}` }])
    await eventually(() => expect(connection.slots.rooms?.size).toBeGreaterThan(60))
    await eventually(() => expect([connection.inFlight, connection.paused]).toEqual([0, false]))
    const joined = connection.slots.rooms?.size ?? 0
    expect(joined).toBeLessThan(count)
    expect(connection.slots.owed).toBeLessThanOrEqual(33_554_432)
    expect(connection.writer.buffered).toBeLessThanOrEqual(1_048_576)

    client.resume()
    for (let i = joined; i < count; i++) {
      const [, , code] = await client.next(19)
      expect(code).toBe('OVERLOADED')
    }
    await eventually(() => expect(connection.slots.owed).toBe(0))
    client.send([6, 1000, 'channel', { id: `${count - 1}` }])
    await client.nextWhere(([type, seq]) => type === 22 && seq === 1000, 'JOINED')
    expect(gateway.counters.closed).toBe(0)
  }, 30_000)
})
