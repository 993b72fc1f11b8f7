import { describe, expect, it } from 'vitest'
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
    expect(live.room.channel({ id: 'a' }).evict('alice', 'revoked')).toBe(1)
    waiting[0]?.()
    expect(await client.next(19)).toEqual([19, 1, 'FORBIDDEN', null])
    await client.ping()
    expect(live.room.channel({ id: 'a' }).members()).toHaveLength(0)
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

describe('a replay', () => {
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
