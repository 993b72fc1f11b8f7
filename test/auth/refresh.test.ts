import { afterEach, describe, expect, it } from 'vitest'
import { createClock } from '../../client/testing/clock.js'
import { Refusal } from '../../plugins/index.js'
import { eventually } from '../gateway/support.js'
import { abortAll } from '../support/raw-client.js'
import { type Member, type ServerOptions, startServer } from '../support/server.js'
import { enterWithTokens, hello, settled } from './support.js'

afterEach(abortAll)

const HOUR = 3_600_000

/**
 * A server whose tokens are `user:end:id:role`, the end in milliseconds from the start; `away` says that nobody can be asked now.
 * `hold` keeps verifications until `release`.
 */
async function serve(options: ServerOptions = {}) {
  const clock = createClock()
  const start = clock.wall()
  const state = { away: false, hold: false, asked: [] as string[], waiting: [] as Array<() => void> }
  const authenticate = async ({ token }: { token: string }): Promise<Member | null> => {
    state.asked.push(token)
    if (state.hold) await new Promise<void>((resolve) => state.waiting.push(resolve))
    if (state.away) throw Object.assign(new Error('the database'), { syscall: 'connect' })
    const [id = '', end = '', tokenId, role] = token.split(':')
    if (id === 'nobody') return null
    if (id === 'barred') throw new Refusal(403, 'FORBIDDEN', 'not here')
    return {
      id,
      role: (role ?? 'member') as 'member',
      ...(end !== '' && { expiresAt: start + Number(end) }),
      ...(tokenId && { tokenId }),
    }
  }
  const server = await startServer({
    clock,
    heartbeat: 300_000,
    ...options,
    namespace: { authenticate, ...options.namespace },
  })
  return Object.assign(server, { clock, start, state })
}

const only = (server: { live: { connections(): Iterable<{ user: unknown }> } }) =>
  [...server.live.connections()].map(({ user }) => user)

describe('a client that brings fresh tokens', () => {
  it('is asked ahead of the end, once, and goes on', async () => {
    const server = await serve()
    const client = await enterWithTokens(server, 'ann:100000:t1')
    server.clock.advance(69_999)
    await settled(client)
    expect(client.frames.filter(([type]) => type === 25)).toEqual([])
    server.clock.advance(1)
    expect(await client.next(25)).toEqual([25, 'wanted', 30_000])
    server.clock.advance(10_000)
    client.send([9, 'ann:300000:t2'])
    expect(await client.next(25)).toEqual([25, 'accepted', 220_000])
    expect(only(server)).toMatchObject([{ id: 'ann', tokenId: 't2', expiresAt: server.start + 300_000 }])
    server.clock.advance(30_000)
    await settled(client)
    // 30 s before the new end, and then its end.
    server.clock.advance(160_000)
    expect(await client.next(25)).toEqual([25, 'wanted', 30_000])
    server.clock.advance(30_000)
    expect((await client.closed()).code).toBe(4002)
  })

  it('is asked when half of its time is over where the lead is longer', async () => {
    const server = await serve()
    const client = await enterWithTokens(server, 'ann:20000')
    server.clock.advance(10_000)
    expect(await client.next(25)).toEqual([25, 'wanted', 10_000])
  })

  it('is asked as long before as `tokenLead` says', async () => {
    const server = await serve({ tokenLead: 5000 })
    const client = await enterWithTokens(server, 'ann:20000')
    server.clock.advance(14_999)
    await settled(client)
    expect(client.frames.filter(([type]) => type === 25)).toEqual([])
    server.clock.advance(1)
    expect(await client.next(25)).toEqual([25, 'wanted', 5000])
  })

  it('may bring a token that has no end', async () => {
    const server = await serve()
    const client = await enterWithTokens(server, 'ann:20000')
    client.send([9, 'ann::t'])
    expect(await client.next(25)).toEqual([25, 'accepted', null])
    server.clock.advance(21_000)
    await settled(client)
    expect(only(server)).toEqual([{ id: 'ann', role: 'member', tokenId: 't' }])
  })

  it('that brings the token of another user ends with 4510, of nobody with 4506, of one barred with 4507', async () => {
    const server = await serve()
    for (const [token, code] of [
      ['ben:1000000', 4510],
      ['nobody:1000000', 4506],
      ['', 4506],
      ['barred:1', 4507],
      ['ann:-1', 4506],
    ] as const) {
      const client = await enterWithTokens(server, 'ann:20000', `s${code}`)
      client.send([9, token])
      expect([token, (await client.closed()).code]).toEqual([token, code])
    }
    expect(only(server)).toEqual([])
  })

  it('is asked again while authentication is away, five times in a row, and its old token goes on to count', async () => {
    const server = await serve()
    const client = await enterWithTokens(server, 'ann:1000000')
    server.state.away = true
    for (let tries = 1; tries <= 5; tries++) {
      client.send([9, 'ann:2000000'])
      await eventually(() => expect(server.state.asked).toHaveLength(1 + tries))
      await settled(client)
      server.clock.advance(6000)
      expect((await client.next(25))[1]).toBe('wanted')
    }
    client.send([9, 'ann:2000000'])
    await eventually(() => expect(server.state.asked).toHaveLength(7))
    await settled(client)
    server.clock.advance(60_000)
    await settled(client)
    expect(client.frames.filter(([type]) => type === 25)).toHaveLength(5)
    server.state.away = false
    client.send([9, 'ann:2000000'])
    expect((await client.next(25))[1]).toBe('accepted')
  })

  it('has one token verified at a time: of those that come meanwhile the newest, and no other', async () => {
    const server = await serve()
    const client = await enterWithTokens(server, 'ann:1000000')
    server.state.hold = true
    for (let i = 1; i <= 1000; i++) client.send([9, `ann:${1_000_000 + i}`])
    await eventually(() => expect(server.state.waiting).toHaveLength(1))
    await client.ping()
    expect(server.state.asked).toEqual(['ann:1000000', 'ann:1000001'])
    server.state.hold = false
    server.state.waiting[0]?.()
    expect(await client.next(25)).toEqual([25, 'accepted', 1_000_001])
    expect(await client.next(25)).toEqual([25, 'accepted', 1_001_000])
    await settled(client)
    expect(server.state.asked).toEqual(['ann:1000000', 'ann:1000001', 'ann:1001000'])
  })

  it('that is gone before its token is verified leaves nothing', async () => {
    const server = await serve()
    const client = await enterWithTokens(server, 'ann:1000000')
    server.state.hold = true
    client.send([9, 'ben:1'])
    await eventually(() => expect(server.state.waiting).toHaveLength(1))
    client.abort()
    await eventually(() => expect(only(server)).toEqual([]))
    server.state.waiting[0]?.()
    expect(server.gateway.sockets.size).toBe(0)
  })

  it('ends with 4002 where its new token is not verified before the old one ends', async () => {
    const server = await serve()
    const client = await enterWithTokens(server, 'ann:20000')
    server.state.hold = true
    client.send([9, 'ann:1000000'])
    await eventually(() => expect(server.state.waiting).toHaveLength(1))
    server.clock.advance(20_000)
    expect((await client.closed()).code).toBe(4002)
    server.state.waiting[0]?.()
  })

  for (const [what, by] of [
    ['an hour ahead', HOUR],
    ['an hour back', -HOUR],
  ] as const) {
    it(`does not notice that the wall clock was set ${what}`, async () => {
      const server = await serve()
      const client = await enterWithTokens(server, 'ann:100000')
      server.clock.setWall(server.start + by)
      server.clock.advance(69_999)
      await settled(client)
      expect(client.frames.filter(([type]) => type === 25)).toEqual([])
      server.clock.advance(1)
      expect(await client.next(25)).toEqual([25, 'wanted', 30_000])
      server.clock.setWall(server.start - by)
      server.clock.advance(29_999)
      await settled(client)
      server.clock.advance(1)
      expect((await client.closed()).code).toBe(4002)
    })
  }
})

describe('TOKEN', () => {
  it('before HELLO closes 4502', async () => {
    const server = await serve()
    const client = await server.connect()
    client.send([9, 'ann:1000'])
    expect((await client.closed()).code).toBe(4502)
  })

  it('of a client that did not name the feature closes 4502, and such a client is not asked', async () => {
    const server = await serve()
    const client = await server.connect()
    client.send(hello('ann:20000'))
    await client.next(17)
    server.clock.advance(19_999)
    await settled(client)
    expect(client.frames.filter(([type]) => type === 25)).toEqual([])
    client.send([9, 'ann:100000'])
    expect((await client.closed()).code).toBe(4502)
  })

  it("where everybody may connect ('none') closes 4502", async () => {
    const server = await startServer({ namespace: { authenticate: 'none' } })
    const client = await enterWithTokens(server, 'any')
    client.send([9, 'any'])
    expect((await client.closed()).code).toBe(4502)
  })

  it('in the first flight is taken once the connection is open', async () => {
    const server = await serve()
    const client = await server.connect()
    client.send([1, 's', 'x', '1.0.0', ['token'], 'ann:20000'])
    client.send([9, 'ann:100000'])
    expect(await client.next(25)).toEqual([25, 'accepted', 100_000])
  })

  it('that is malformed closes 4500', async () => {
    const server = await serve()
    for (const frame of [[9], [9, null], [9, 42], [9, 'x'.repeat(16_385)]]) {
      const client = await enterWithTokens(server, 'ann:20000')
      client.send(frame)
      expect((await client.closed()).code).toBe(4500)
    }
  })
})

describe('a fresh token with other claims', () => {
  it('has the rooms asked again: those that refuse end with LEFT revoked', async () => {
    const asked: unknown[] = []
    const server = await serve({
      after: (app) => {
        app.ackordGateway.addHook('onJoin', ({ params, connection, again }) => {
          asked.push([params, (connection.user as Member).role, again])
          const role: string = (connection.user as Member).role
          if (role === 'guest' && (params as { id: string }).id === 'staff')
            throw Object.assign(new Error('no'))
        })
      },
    })
    const client = await enterWithTokens(server, 'ann:20000')
    client.send([6, 1, 'channel', { id: 'staff' }])
    client.send([6, 2, 'channel', { id: 'all' }])
    await client.next(22)
    await client.next(22)
    client.send([9, 'ann:30000:other'])
    await client.next(25)
    await settled(client)
    expect(asked).toHaveLength(2)
    client.send([9, 'ann:30000::guest'])
    expect(await client.next(27)).toEqual([27, 'channel[["id","staff"]]', 'revoked'])
    await settled(client)
    expect(asked.slice(2)).toEqual([
      [{ id: 'staff' }, 'guest', true],
      [{ id: 'all' }, 'guest', true],
    ])
    expect([...server.live.connections()].map(({ rooms }) => rooms)).toEqual([['channel[["id","all"]]']])
  })
})
