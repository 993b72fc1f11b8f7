import { afterEach, describe, expect, it } from 'vitest'
import type { Connection } from '../../plugins/gateway/index.js'
import { eventually } from '../gateway/support.js'
import { OPCODE, wsFrame } from '../support/raw-bytes.js'
import { abortAll, type RawClient } from '../support/raw-client.js'
import { type ServerOptions, startServer } from '../support/server.js'

afterEach(abortAll)

const BOUND = 131_072
/** Pongs, which ws writes by itself: at most 60 of at most 127 bytes; and a Close. */
const CONTROL = 60 * 127 + 127
const message = (text: string) => ({ id: 'm', text })
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/** A server with a small bound, and what its backpressure hook was told. */
async function serve(options: ServerOptions = {}) {
  const told: string[] = []
  let dropped = 0
  const server = await startServer({
    maxBuffered: BOUND,
    ...options,
    after: (app) =>
      app.ackordGateway.addHook('onBackpressure', (connection, what, count) => {
        if (what === 'dropped') dropped += count
        told.push(`${connection.user.id} ${what}`)
      }),
  })
  const room = server.live.room.channel({ id: 'a' })
  const of = (user: string): Connection => {
    for (const connection of server.gateway.sockets) if (connection.user.id === user) return connection
    throw new Error(`${user} is not connected`)
  }
  return {
    ...server,
    told,
    dropped: () => dropped,
    room,
    async join(user: string): Promise<RawClient> {
      const client = await server.enter(user)
      client.send([6, 1, 'channel', { id: 'a' }])
      await client.next(22)
      return client
    },
    of,
    /** Publishes what may be dropped until nothing more fits the buffers between the server and who does not read. */
    async fill(user: string): Promise<void> {
      const before = server.gateway.counters.dropped
      while (server.gateway.counters.dropped === before) {
        for (let i = 0; i < 50; i++) await room.publish('typing', { user: 'x'.repeat(2000) })
        await turn()
        expect(of(user).writer.buffered).toBeLessThanOrEqual(BOUND + CONTROL)
      }
    },
  }
}

describe('a member that does not read', () => {
  it('loses what is volatile, counted and told, and is closed at what is recoverable', async () => {
    const { join, fill, room, gateway, told, dropped, of } = await serve()
    const slow = await join('slow')
    slow.pause()
    const connection = of('slow')
    await fill('slow')
    expect(connection.phase).toBe('open')
    expect(new Set(told)).toEqual(new Set(['slow dropped']))
    expect(gateway.counters.dropped).toBe(dropped())
    // Once per turn, however many they were.
    expect(told.length).toBeLessThan(dropped())

    await room.publish('posted', message('x'.repeat(2000)))
    await eventually(() => expect(connection.phase).toBe('closed'))
    expect(told.at(-1)).toBe('slow closed')
    expect([gateway.counters.closed, room.connections()]).toEqual([1, []])
    slow.resume()
    expect((await slow.closed()).code).toBe(1013)
  }, 30_000)

  it('keeps its place where values replace each other, and gets the newest of each when it reads again', async () => {
    const { join, room, gateway, of } = await serve()
    const slow = await join('slow')
    slow.pause()
    const symbols = Array.from({ length: 20 }, (_, i) => `${i} `.padEnd(2000, 'x'))
    const [member] = of('slow').slots.rooms?.values() ?? []
    let round = 0
    const publishAll = async (): Promise<void> => {
      round++
      for (const symbol of symbols) await room.publish('price', { symbol, value: round })
      await turn()
    }
    while (member?.owes !== symbols.length) await publishAll()
    for (let i = 0; i < 20; i++) await publishAll()
    expect([member.owes, of('slow').writer.buffered <= BOUND]).toEqual([20, true])

    slow.resume()
    await eventually(async () => {
      await slow.ping()
      const newest = new Map<string, number>()
      for (const [type, , , payload] of slow.frames) {
        const { symbol, value } = payload as { symbol: string; value: number }
        if (type !== 23) continue
        // None older behind a newer one.
        expect(value).toBeGreaterThanOrEqual(newest.get(symbol) ?? 0)
        newest.set(symbol, value)
      }
      expect([...newest.values()]).toEqual(symbols.map(() => round))
    })
    expect(slow.frames.filter(([type]) => type === 23).length).toBeLessThan(round * 20)
    expect([member.owes, gateway.counters.closed, gateway.counters.dropped]).toEqual([0, 0, 0])
    expect(of('slow').phase).toBe('open')
  }, 30_000)

  it('gets nothing that it was owed after it left', async () => {
    const { join, room, of, live } = await serve()
    const slow = await join('slow')
    slow.pause()
    const [member] = of('slow').slots.rooms?.values() ?? []
    for (let value = 0; member?.owes !== 1; value++) {
      await room.publish('price', { symbol: 'x'.repeat(4000), value })
      await turn()
    }
    // Makes room for LEFT, which may not be dropped.
    of('slow').writer.discard()
    room.evict('slow')
    live.user('slow').send('notice', message('last'))
    slow.resume()
    await slow.next(21)
    await slow.ping()
    const after = slow.frames.slice(slow.frames.findIndex(([type]) => type === 27))
    expect(after.map(([type]) => type)).toEqual([27, 21])
    expect(member.owes).toBe(0)
  }, 30_000)

  it('makes no publisher and no other member wait', async () => {
    const { join, fill, room, of } = await serve()
    const [slow, good] = [await join('slow'), await join('good')]
    slow.pause()
    await fill('slow')
    for (let i = 0; i < 100; i++) {
      await room.publish('typing', { user: `${i}` })
      expect(of('slow').writer.buffered).toBeGreaterThan(BOUND / 2)
    }
    await good.nextWhere(([, , , payload]) => (payload as { user?: string })?.user === '99', 'the last')
  }, 30_000)

  it('that pings gets its pongs when it reads, behind what was queued; with too many unread it is ended', async () => {
    const { join, fill, of, gateway } = await serve()
    const [slow, good] = [await join('slow'), await join('good')]
    const ping = (count: number): void => {
      for (let i = 0; i < count; i++) slow.write(wsFrame({ opcode: OPCODE.ping, payload: 'x'.repeat(125) }))
    }
    slow.pause()
    await fill('slow')
    for (let i = 0; i < 6; i++) {
      ping(10)
      await good.ping()
    }
    expect(of('slow').phase).toBe('open')
    expect(of('slow').writer.buffered).toBeLessThanOrEqual(BOUND + CONTROL)
    ping(1)
    await eventually(() => expect(gateway.sockets.size).toBe(1))
  }, 30_000)
})

describe('current values that do not fit at once', () => {
  it('follow their JOINED as the joiner reads, each once, the newest', async () => {
    const { enter, room, gateway, of } = await serve()
    const count = 100
    const symbol = (i: number): string => `${i} `.padEnd(2000, 'x')
    for (let i = 0; i < count; i++) await room.publish('price', { symbol: symbol(i), value: 1 })
    const client = await enter('ann')
    client.send([6, 1, 'channel', { id: 'a' }])
    const joined = await client.next(22)
    expect(joined[3]).toBeGreaterThan(0)
    // Each is over 2,000 bytes, and half of the bound is left for what is published.
    expect(joined[3]).toBeLessThan(BOUND / 2 / 2000)
    for (let i = 0; i < count; i++)
      expect((await client.next(23))[3]).toEqual({ symbol: symbol(i), value: 1 })
    await client.ping()
    expect(client.frames.filter(([type]) => type === 23)).toHaveLength(count)
    expect([of('ann').phase, gateway.counters.closed]).toEqual(['open', 0])
  })

  it('leave room for what is recoverable', async () => {
    const { enter, room, gateway } = await serve()
    for (let i = 0; i < 100; i++) await room.publish('price', { symbol: `${i} `.padEnd(2000, 'x'), value: 1 })
    const client = await enter('ann')
    client.send([6, 1, 'channel', { id: 'a' }])
    await eventually(() => expect(room.connections()).toHaveLength(1))
    for (let i = 0; i < 10; i++) void room.publish('posted', message('x'.repeat(2000)))
    for (let i = 0; i < 10; i++)
      await client.nextWhere(([type, , event]) => type === 23 && event === 'posted', 'it')
    expect(gateway.counters.closed).toBe(0)
  })
})

describe('a peer that sends more than it takes back', () => {
  it('100,000 calls without reading an answer, is closed at the bound while others are served', async () => {
    const { enter, gateway, probe } = await serve()
    const [greedy, good] = [await enter('greedy'), await enter('good')]
    const [connection] = gateway.sockets
    greedy.pause()
    const text = 'x'.repeat(1000)
    let seq = 0
    while (connection?.phase === 'open' && seq < 100_000) {
      for (let i = 0; i < 500; i++) greedy.send([2, ++seq, 'echo', { text }])
      await good.ping()
      expect(connection.writer.buffered).toBeLessThanOrEqual(BOUND + CONTROL)
    }
    expect(connection?.phase).toBe('closed')
    expect(gateway.counters.closed).toBe(1)
    good.send([2, 1, 'echo', { text: 'hi' }])
    expect(await good.next(18)).toEqual([18, 1, { text: 'hi' }])
    expect(probe.log.length).toBeLessThan(100_000)
  }, 30_000)

  it('100,000 calls that take long, is not read beyond its share, and refused what was read beyond four times that', async () => {
    const { enter, gateway, probe, told } = await serve({ inFlight: 4 })
    const client = await enter('greedy')
    const [connection] = gateway.sockets
    const calls = 100_000
    client.write(Buffer.concat(Array.from({ length: calls }, (_, i) => callBytes(i + 1))))
    await eventually(() => expect(connection?.paused).toBe(true))
    await turn()
    expect(connection?.inFlight).toBeLessThanOrEqual(16)
    expect(probe.log.length).toBeLessThanOrEqual(16)
    expect(told.filter((what) => what === 'greedy paused').length).toBeGreaterThan(0)
    // What stood in the read that filled it was refused, not kept.
    const refused = await client.nextWhere(
      ([type, , code]) => type === 19 && code === 'OVERLOADED',
      'a refusal',
    )
    expect(refused[1]).toBe(17)
    expect(told).toContain('greedy overloaded')
    for (const name of [...probe.signals.keys()]) probe.release(name)
    await client.nextWhere(([type, seq]) => type === 18 && seq === 16, 'the last answer')
    client.abort()
  }, 30_000)

  it('a flood of pings, is ended or answered, and others are served', async () => {
    const { enter, gateway } = await serve()
    const [flood, good] = [await enter('flood'), await enter('good')]
    const pings = Buffer.concat(Array.from({ length: 10_000 }, () => wsFrame({ opcode: OPCODE.ping })))
    flood.write(pings)
    await eventually(() => expect(gateway.sockets.size).toBe(1))
    good.send([2, 1, 'echo', { text: 'hi' }])
    await good.next(18)
  })
})

const callBytes = (seq: number): Buffer =>
  wsFrame({ payload: JSON.stringify([2, seq, 'wait', { name: `${seq}` }]) })
