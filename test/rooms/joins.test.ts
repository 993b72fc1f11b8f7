import { describe, expect, it } from 'vitest'
import type { Clock } from '../../contract/clock.js'
import { serverClock } from '../../contract/server-clock.js'
import { refuseCall } from '../../plugins/index.js'
import { startServer } from '../support/server.js'
import { until } from '../support/until.js'

const gate = () => {
  const waiting: Array<() => void> = []
  return { waiting, wait: () => new Promise<void>((resolve) => waiting.push(resolve)) }
}

describe('a join under way', () => {
  it('ends with an eviction of its user', async () => {
    const { waiting, wait } = gate()
    const { enter, live } = await startServer({ after: (app) => app.ackordGateway.addHook('onJoin', wait) })
    const client = await enter('alice')
    client.send([6, 1, 'channel', { id: 'a' }])
    await until(() => waiting.length === 1)
    expect(await live.room.channel({ id: 'a' }).evict('alice', 'revoked')).toBe(1)
    waiting[0]?.()
    expect(await client.next(19)).toEqual([19, 1, 'FORBIDDEN', null])
    await client.ping()
    expect(live.room.channel({ id: 'a' }).connections()).toHaveLength(0)
  })

  it('counts as in flight while its handler runs, so that JOIN and LEAVE in turn have a bound', async () => {
    const { waiting, wait } = gate()
    const { enter, gateway } = await startServer({
      inFlight: 2,
      after: (app) => app.ackordGateway.addHook('onJoin', wait),
    })
    const client = await enter('alice')
    for (let seq = 1; seq <= 40; seq++) {
      client.send([6, seq, 'channel', { id: `${seq}` }])
      client.send([7, seq])
    }
    await until(() => waiting.length >= 3)
    await new Promise((resolve) => setImmediate(resolve))
    expect(waiting.length).toBeLessThanOrEqual(8)
    for (const connection of gateway.sockets) expect(connection.inFlight).toBeLessThanOrEqual(8)
    while (waiting.length > 0) waiting.shift()?.()
    await until(() => {
      while (waiting.length > 0) waiting.shift()?.()
      return [...gateway.sockets].every(({ inFlight }) => inFlight === 0)
    })
  })

  it('costs no timer of its own, and is answered at its deadline', async () => {
    const { waiting, wait } = gate()
    let timers = 0
    const clock: Clock = {
      ...serverClock,
      setTimeout(callback, ms) {
        if (ms <= 1000) timers++
        return serverClock.setTimeout(callback, ms)
      },
    }
    const { enter } = await startServer({
      clock,
      callTimeout: 1000,
      after: (app) => app.ackordGateway.addHook('onJoin', wait),
    })
    const client = await enter('alice')
    timers = 0
    for (let seq = 1; seq <= 40; seq++) client.send([6, seq, 'channel', { id: `${seq}` }])
    await until(() => waiting.length === 40)
    // Looks at what is under way, as often as time has passed.
    expect(timers).toBeLessThan(20)
    for (let seq = 1; seq <= 40; seq++)
      expect((await client.next(19)).slice(0, 3)).toEqual([19, seq, 'TIMEOUT'])
    for (const open of waiting) open()
  })

  it('twice of one room is one membership and one replay', async () => {
    const { waiting, wait } = gate()
    const { enter, live } = await startServer({ after: (app) => app.ackordGateway.addHook('onJoin', wait) })
    await live.room.channel({ id: 'a' }).publish('price', { symbol: 'X', value: 1 })
    const client = await enter('alice')
    client.send([6, 1, 'channel', { id: 'a' }])
    client.send([6, 2, 'channel', { id: 'a' }])
    await until(() => waiting.length === 2)
    for (const open of waiting) open()
    expect([(await client.next(22))[3], (await client.next(22))[3]]).toEqual([1, 0])
    await client.ping()
    expect(client.frames.filter(([type]) => type === 23)).toHaveLength(1)
  })

  it('that a hook refuses with data of its own shows none of it, and a wait that is a whole number', async () => {
    const { enter } = await startServer({
      after: (app) =>
        app.ackordGateway.addHook('onJoin', () => {
          throw Object.assign(refuseCall('RATE_LIMITED', 0.5), { data: { secret: 1n } })
        }),
    })
    const client = await enter('alice')
    client.send([6, 1, 'channel', { id: 'a' }])
    expect(await client.next(19)).toEqual([19, 1, 'RATE_LIMITED', null, 1])
  })
})

describe('a JOIN of whom the server has joined', () => {
  it('loses nothing that was published in the same turn', async () => {
    const { enter, live, gateway } = await startServer({
      after: (app) =>
        app.ackordGateway.addHook('onJoin', async () => {
          await room.publish('posted', { id: 'm', text: 'just before' })
        }),
    })
    const room = live.room.channel({ id: 'a' })
    const client = await enter('alice')
    const [view] = [...live.connections()]
    if (view === undefined) throw new Error('nobody is connected')
    await room.join(view)
    await client.next(22)
    client.send([6, 1, 'channel', { id: 'a' }])
    expect((await client.next(22))[1]).toBe(1)
    await client.ping()
    expect(client.frames.filter(([type]) => type === 23).map(([, , event]) => event)).toEqual(['posted'])
    expect([room.connections().length, [...gateway.sockets][0]?.slots.rooms?.size]).toEqual([1, 1])
  })
})

describe('a replay', () => {
  it('or what follows it has what is published at any moment of the JOIN', async () => {
    let published = 0
    const { enter, live } = await startServer({
      after: (app) =>
        app.ackordGateway.addHook('onJoin', ({ params }) => {
          const { id } = params as { id: string }
          const publish = async (): Promise<void> => {
            for (let microtasks = Number(id); microtasks > 0; microtasks--) await null
            await live.room.channel({ id }).publish('price', { symbol: id, value: 1 })
            published++
          }
          void publish()
        }),
    })
    const client = await enter('alice')
    const moments = 60
    for (let id = 0; id < moments; id++) {
      client.send([6, id + 1, 'channel', { id: `${id}` }])
      await client.next(22)
    }
    await until(() => published === moments)
    await client.ping()
    const symbols = client.frames
      .filter(([type]) => type === 23)
      .map(([, , , payload]) => Number((payload as { symbol: string }).symbol))
    expect(symbols.sort((a, b) => a - b)).toEqual(Array.from({ length: moments }, (_, id) => id))
  })

  it('is answered whatever its size: half a megabyte of current values fits', async () => {
    const { enter, live } = await startServer()
    const room = live.room.channel({ id: 'a' })
    const symbol = 'x'.repeat(1000)
    for (let i = 0; i < 200; i++) await room.publish('price', { symbol: `${symbol}${i}`, value: i })
    const client = await enter('alice')
    client.send([6, 1, 'channel', { id: 'a' }])
    expect((await client.next(22))[3]).toBe(200)
  })

  it('that does not fit is a gap, and the current values still come', async () => {
    const { enter, live } = await startServer({ maxBuffered: 131_072 })
    const room = live.room.channel({ id: 'a' })
    await room.publish('price', { symbol: 'X', value: 1 })
    const first = await room.publish('posted', { id: 'm', text: 'first' })
    for (let i = 0; i < 80; i++) await room.publish('posted', { id: 'm', text: 'x'.repeat(2000) })
    const client = await enter('alice')
    client.send([6, 1, 'channel', { id: 'a' }, [first?.epoch, first?.offset, first?.tag]])
    const joined = await client.next(22)
    expect([joined[3], joined[5]]).toEqual([1, 'tooMany'])
    expect((await client.next(23))[2]).toBe('price')
  })
})

describe('hooks of memberships', () => {
  it('that reject are logged and harm nobody', async () => {
    const { enter, lines } = await startServer({
      after: (app) =>
        app.ackordGateway.addHook('onLeave', (async () => {
          throw new Error('a hook failed')
        }) as () => void),
    })
    const client = await enter('alice')
    client.send([6, 1, 'channel', { id: 'a' }])
    await client.next(22)
    client.send([7, 1])
    await until(() => lines.some(({ err }) => (err as Error | undefined)?.message === 'a hook failed'))
  })
})
