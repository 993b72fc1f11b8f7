import { afterEach, describe, expect, it } from 'vitest'
import { createClock } from '../../client/testing/clock.js'
import { Refusal } from '../../plugins/index.js'
import { eventually } from '../gateway/support.js'
import { abortAll, type RawClient } from '../support/raw-client.js'
import { type Member, type ServerOptions, startServer, type TestServer } from '../support/server.js'
import { enterWithTokens, settled } from './support.js'

afterEach(abortAll)

type Answer = (user: Member) => Member | null | Promise<Member | null>

/** A server with `reauthorize`, whose answer a test sets. Tokens are `user:end`. */
async function serve(options: ServerOptions = {}) {
  const clock = createClock()
  const state = {
    answer: ((user) => user) as Answer,
    asked: [] as Member[],
    /** Whether `join` hangs for a room, and for which it did. */
    hangs: (_room: string): boolean => false,
    hanging: [] as string[],
  }
  const server = await startServer({
    clock,
    heartbeat: 300_000,
    ...options,
    namespace: {
      authenticate: ({ token }) => {
        const [id = '', end] = token.split(':')
        return { id, role: 'member', ...(end && { expiresAt: clock.wall() + Number(end), tokenId: 't' }) }
      },
      reauthorize: async (user, app) => {
        expect(app.hasDecorator('ackord')).toBe(true)
        state.asked.push(user)
        return state.answer(user)
      },
      ...options.namespace,
    },
    after: (app) => {
      app.ackordGateway.addHook('onJoin', async ({ connection, params }) => {
        const { role } = connection.user as Member & { role: string }
        const { id } = params as { id: string }
        if (role !== 'member' && id === 'members') throw new Error('members only')
        if (!state.hangs(id)) return
        state.hanging.push(id)
        await new Promise(() => {})
      })
    },
  })
  return Object.assign(server, { clock, state })
}

const guest = (user: Member): Member => ({ ...user, role: 'guest' as 'member' })
const again = (server: Awaited<ReturnType<typeof serve>>) =>
  server.live.revoke({ user: 'ann' }, { mode: 'reauthorize' })
const only = (server: Awaited<ReturnType<typeof serve>>): Member | undefined =>
  [...server.live.connections()][0]?.user
const errors = ({ lines }: { lines: Array<Record<string, unknown>> }) =>
  lines.filter(({ level }) => level === 50)

async function ticketFor(server: TestServer, token: string): Promise<string> {
  const response = await fetch(`${server.url.replace('ws', 'http')}/ticket`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}` },
  })
  return ((await response.json()) as { ticket: string }).ticket
}

async function join(client: RawClient, seq: number, id: string): Promise<void> {
  client.send([6, seq, 'channel', { id }])
  await client.next(22)
}

describe('reauthorize', () => {
  it('that returns null, or refuses, ends the connection with 4508', async () => {
    const answers: readonly Answer[] = [
      () => null,
      () => Promise.reject(new Refusal(403, 'FORBIDDEN', 'no')),
      () => Promise.reject(Object.assign(new Error('no'), { statusCode: 401 })),
    ]
    const server = await serve()
    for (const answer of answers) {
      const client = await server.enter('ann')
      server.state.answer = answer
      await again(server)
      expect((await client.closed()).code).toBe(4508)
    }
    expect(errors(server)).toEqual([])
  })

  it('that returns the user as they are now has their rooms asked again', async () => {
    const server = await serve()
    const client = await enterWithTokens(server, 'ann')
    await join(client, 1, 'members')
    await join(client, 2, 'all')
    server.state.answer = guest
    await again(server)
    expect(only(server)).toEqual({ id: 'ann', role: 'guest' })
    expect(await client.next(27)).toEqual([27, 'channel[["id","members"]]', 'revoked'])
    await settled(client)
    expect([...server.live.connections()][0]?.rooms).toEqual(['channel[["id","all"]]'])
    // It has said who the user is: no token is needed for that.
    server.clock.advance(31_000)
    await settled(client)
    expect(client.frames.filter(([type]) => type === 25)).toEqual([])
  })

  it('that returns nothing, another user or no date by a slip changes nothing, and is in the log', async () => {
    const slips: readonly Answer[] = [
      () => undefined as never,
      () => 'ann' as never,
      (user) => ({ ...user, id: 'ben' }),
      (user) => ({ ...user, expiresAt: Number.NaN }),
      (user) => ({ ...user, expiresAt: '2030' as never }),
    ]
    for (const slip of slips) {
      const server = await serve()
      const client = await server.enter('ann')
      server.state.answer = slip
      await again(server)
      await settled(client)
      expect([slip, only(server)]).toEqual([slip, { id: 'ann', role: 'member' }])
      expect(errors(server)).toHaveLength(1)
      expect(server.app.ackord.stats().unchecked).toBe(1)
    }
  })

  it('that cannot be asked changes nothing, and is in the log once per outage', async () => {
    const server = await serve()
    const client = await server.enter('ann')
    await join(client, 1, 'members')
    const failures = [
      Object.assign(new Error('away'), { syscall: 'connect' }),
      new Error('the pool is closed'),
      new TypeError('a slip'),
      new Refusal(503, 'UNAVAILABLE', 'later'),
    ]
    for (const failure of failures) {
      server.state.answer = () => Promise.reject(failure)
      await again(server)
    }
    await settled(client)
    expect(errors(server)).toHaveLength(1)
    expect(server.app.ackord.stats().unchecked).toBe(4)
    server.state.answer = (user) => user
    await again(server)
    server.state.answer = () => Promise.reject(failures[0])
    await again(server)
    expect(errors(server)).toHaveLength(2)
    expect(server.lines.filter(({ msg }) => String(msg).includes('answers again'))).toHaveLength(1)
  })

  it('that does not answer within callTimeout changes nothing', async () => {
    const server = await serve({ callTimeout: 1000 })
    const client = await server.enter('ann')
    server.state.answer = () => new Promise(() => {})
    const done = again(server)
    await eventually(() => expect(server.state.asked).toHaveLength(1))
    server.clock.advance(1000)
    expect(await done).toBe(1)
    expect(errors(server)).toHaveLength(1)
    await settled(client)
  })

  it('may bring the end of a token nearer and never further away, and the token keeps its id', async () => {
    const server = await serve()
    const client = await server.enter('ann:60000')
    server.state.answer = ({ id, role }) => ({ id, role, expiresAt: server.clock.wall() + 1_000_000 })
    await again(server)
    server.state.answer = ({ id, role }) => ({ id, role })
    await again(server)
    server.clock.advance(30_000)
    await settled(client)
    server.state.answer = ({ id, role }) => ({ id, role, expiresAt: server.clock.wall() + 10_000 })
    await again(server)
    expect(await server.live.revoke({ tokenId: 't' }, { mode: 'reauthorize' })).toBe(1)
    server.clock.advance(9999)
    await settled(client)
    server.clock.advance(1001)
    expect((await client.closed()).code).toBe(4002)
  })

  it('cannot keep a connection beyond the end of its token', async () => {
    const server = await serve()
    const client = await server.enter('ann:60000')
    for (const end of [{ expiresAt: server.clock.wall() + 1_000_000 }, {}]) {
      server.state.answer = ({ id, role }) => ({ id, role, ...end })
      await again(server)
    }
    server.clock.advance(60_000)
    expect((await client.closed()).code).toBe(4002)
  })

  it('is made once more where it is asked for while it runs, however often', async () => {
    const server = await serve()
    await server.enter('ann')
    const open: Array<() => void> = []
    server.state.answer = (user) => new Promise((resolve) => open.push(() => resolve(user)))
    const all = Promise.all(Array.from({ length: 100 }, () => again(server)))
    await eventually(() => expect(open).toHaveLength(1))
    open[0]?.()
    await eventually(() => expect(open).toHaveLength(2))
    open[1]?.()
    await all
    expect(server.state.asked).toHaveLength(2)
  })

  it('of a user who brought a fresh token meanwhile is asked for the new one', async () => {
    const server = await serve()
    const client = await enterWithTokens(server, 'ann')
    const open: Array<() => void> = []
    server.state.answer = (user) => new Promise((resolve) => open.push(() => resolve(guest(user))))
    const done = again(server)
    await eventually(() => expect(open).toHaveLength(1))
    client.send([9, 'ann:600000'])
    await eventually(() => expect(open).toHaveLength(2))
    open[1]?.()
    await client.next(25)
    open[0]?.()
    await eventually(() => expect(open).toHaveLength(3))
    open[2]?.()
    await done
    expect(server.state.asked[2]).toMatchObject({ id: 'ann', tokenId: 't' })
    expect(only(server)).toMatchObject({ role: 'guest', tokenId: 't' })
  })

  it('is asked about the user of a fresh token before that counts: an old token brings nothing back', async () => {
    const server = await serve()
    const client = await enterWithTokens(server, 'ann')
    await join(client, 1, 'members')
    server.state.answer = guest
    await again(server)
    await client.next(27)
    client.send([9, 'ann'])
    expect(await client.next(25)).toEqual([25, 'accepted', null])
    expect(only(server)).toMatchObject({ role: 'guest' })
    client.send([6, 2, 'channel', { id: 'members' }])
    expect((await client.next(19))[2]).toBe('FORBIDDEN')
    server.state.answer = () => null
    client.send([9, 'ann'])
    expect((await client.closed()).code).toBe(4508)
  })

  it('that answered about a fresh token before a revocation is asked again', async () => {
    const server = await serve()
    const client = await enterWithTokens(server, 'ann')
    let answer: (() => void) | undefined
    server.state.answer = (user) => new Promise((resolve) => (answer = () => resolve(user)))
    client.send([9, 'ann:600000'])
    await eventually(() => expect(answer).toBeDefined())
    server.state.answer = guest
    await again(server)
    answer?.()
    expect((await client.next(25))[1]).toBe('accepted')
    expect(only(server)).toMatchObject({ role: 'guest', tokenId: 't' })
    expect(server.state.asked).toHaveLength(3)
  })

  for (const what of ['a revocation', 'a round'] as const)
    it(`that is asked about who brought a ticket is asked again, and the ticket is not, after ${what} meanwhile`, async () => {
      const server = await serve({ reauthorizeEvery: 5000 })
      const client = await enterWithTokens(server, 'ann')
      const ticket = await ticketFor(server, 'ann:600000')
      const open: Array<() => void> = []
      server.state.answer = (user) => new Promise((resolve) => open.push(() => resolve({ ...user })))
      client.send([9, ticket])
      await eventually(() => expect(open).toHaveLength(1))
      server.state.answer = guest
      if (what === 'a round') {
        server.clock.advance(5000)
        await eventually(() => expect(only(server)).toMatchObject({ role: 'guest' }))
      } else await again(server)
      open[0]?.()
      expect((await client.next(25))[1]).toBe('accepted')
      expect(only(server)).toMatchObject({ role: 'guest', tokenId: 't' })
      expect(server.state.asked).toHaveLength(3)
    })

  it('that is in doubt each time it answers about a fresh token lets the old one count, and asks for another', async () => {
    const server = await serve()
    const client = await enterWithTokens(server, 'ann')
    const rounds: Array<Promise<number>> = []
    server.state.answer = (user) => {
      if (user.tokenId !== undefined) rounds.push(again(server))
      return user
    }
    client.send([9, 'ann:600000'])
    await settled(client)
    await Promise.all(rounds)
    expect(only(server)).not.toHaveProperty('tokenId')
    expect(rounds).toHaveLength(5)
    server.state.answer = guest
    server.clock.advance(6000)
    expect((await client.next(25))[1]).toBe('wanted')
    client.send([9, 'ann:600000'])
    expect((await client.next(25))[1]).toBe('accepted')
    expect(only(server)).toMatchObject({ role: 'guest', tokenId: 't' })
  })

  it('that cannot be asked about a fresh token lets the old one count, and asks for another', async () => {
    const server = await serve()
    const client = await enterWithTokens(server, 'ann:1000000')
    server.state.answer = () => Promise.reject(new Error('the pool is closed'))
    client.send([9, 'ann:2000000'])
    await eventually(() => expect(server.state.asked).toHaveLength(1))
    await settled(client)
    server.clock.advance(6000)
    expect(await client.next(25)).toEqual([25, 'wanted', 994_000])
    server.state.answer = (user) => ({ ...user, expiresAt: server.clock.wall() + 5000 })
    client.send([9, 'ann:2000000'])
    expect(await client.next(25)).toEqual([25, 'accepted', 5000])
  })

  it('is asked before WELCOME for who was on their way in', async () => {
    const server = await serve()
    const client = await server.connect({ headers: { authorization: 'Bearer ann' } })
    server.state.answer = () => null
    await again(server)
    client.send([1, 's', 'x', '1.0.0', []])
    expect((await client.closed()).code).toBe(4508)
    expect(client.frames).toEqual([])
  })
})

describe('the rooms of a connection', () => {
  it('are asked again together: one that hangs keeps no other waiting, and all have callTimeout', async () => {
    const server = await serve({ callTimeout: 1000 })
    const client = await server.enter('ann')
    const all = ['a', 'b', 'c', 'd', 'e', 'members']
    for (const [i, id] of all.entries()) await join(client, i + 1, id)
    server.state.hangs = () => true
    server.state.answer = guest
    const done = again(server)
    expect(await client.next(27)).toEqual([27, 'channel[["id","members"]]', 'revoked'])
    server.clock.advance(1000)
    await done
    expect([...server.live.connections()][0]?.rooms).toHaveLength(5)
    expect(server.app.ackord.stats().unchecked).toBe(5)
  })

  it('are asked 64 at a time, and stay where that takes too long', async () => {
    const server = await serve({ callTimeout: 1000 })
    const client = await server.enter('ann')
    for (let i = 1; i <= 70; i++) await join(client, i, `${i}`)
    server.state.hangs = (id) => Number(id) > 3
    const done = again(server)
    await eventually(() => expect(server.state.hanging).toHaveLength(64))
    server.clock.advance(1000)
    await done
    expect(server.state.hanging).toHaveLength(64)
    expect([...server.live.connections()][0]?.rooms).toHaveLength(70)
    expect(server.app.ackord.stats().unchecked).toBe(67)
  })
})

describe('the rounds of reauthorize', () => {
  it('come every minute while anybody is connected, with one timer', async () => {
    const server = await serve()
    const before = server.clock.pending
    const clients = [await server.enter('ann'), await server.enter('ben')]
    // The heartbeat has the other.
    expect(server.clock.pending).toBe(before + 2)
    server.clock.advance(59_999)
    await settled(clients[0] as RawClient)
    expect(server.state.asked).toEqual([])
    for (let round = 1; round <= 3; round++) {
      server.clock.advance(60_000)
      await eventually(() => expect(server.state.asked).toHaveLength(2 * round))
      await settled(clients[0] as RawClient)
    }
    server.state.answer = ({ id, role }) => (id === 'ann' ? null : { id, role })
    server.clock.advance(60_000)
    expect((await clients[0]?.closed())?.code).toBe(4508)
    clients[1]?.abort()
    await eventually(() => expect([...server.live.connections()]).toEqual([]))
    server.clock.advance(600_000)
    await new Promise(setImmediate)
    const asked = server.state.asked.length
    server.clock.advance(600_000)
    await new Promise(setImmediate)
    expect([asked, server.clock.pending]).toEqual([server.state.asked.length, before])
  })

  it('come as often as `reauthorizeEvery` says, and not at all without `reauthorize`', async () => {
    const server = await serve({ reauthorizeEvery: 1000 })
    await server.enter('ann')
    server.clock.advance(1000)
    await eventually(() => expect(server.state.asked).toHaveLength(1))
    const clock = createClock()
    const without = await startServer({ clock, reauthorizeEvery: 1000 })
    await without.enter('ann')
    expect(clock.pending).toBe(1)
  })

  it('ask the rooms of a namespace without `reauthorize` where it sets `reauthorizeEvery` itself', async () => {
    const clock = createClock()
    const asked: unknown[] = []
    let members = new Set(['a', 'b'])
    const server = await startServer({
      clock,
      heartbeat: 300_000,
      namespace: { authenticate: ({ token }) => ({ id: token, role: 'member' }), reauthorizeEvery: 1000 },
      after: (app) => {
        app.ackordGateway.addHook('onJoin', async ({ params, again }) => {
          const { id } = params as { id: string }
          if (again) asked.push(id)
          if (!members.has(id)) throw new Error('not a member')
        })
      },
    })
    const client = await server.enter('ann')
    await join(client, 1, 'a')
    await join(client, 2, 'b')
    clock.advance(1000)
    await eventually(() => expect(asked).toEqual(['a', 'b']))
    await settled(client)
    members = new Set(['b'])
    clock.advance(1000)
    expect(await client.next(27)).toEqual([27, 'channel[["id","a"]]', 'revoked'])
    expect([...server.live.connections()][0]?.rooms).toEqual(['channel[["id","b"]]'])
  })

  it('ask for sixteen connections at a time', async () => {
    const server = await serve()
    await Promise.all(Array.from({ length: 40 }, (_, i) => server.enter(`user${i}`)))
    const open: Array<() => void> = []
    server.state.answer = (user) => new Promise((resolve) => open.push(() => resolve(user)))
    server.clock.advance(60_000)
    for (const count of [16, 32, 40]) {
      await eventually(() => {
        server.clock.advance(10)
        expect(server.state.asked).toHaveLength(count)
      })
      for (let turn = 0; turn < 5; turn++) {
        server.clock.advance(100)
        await new Promise(setImmediate)
      }
      expect(server.state.asked).toHaveLength(count)
      for (const resolve of open.splice(0)) resolve()
    }
  })

  it('end with the app, also in the middle', async () => {
    const server = await serve()
    await server.enter('ann')
    server.state.answer = () => new Promise(() => {})
    server.clock.advance(60_000)
    await eventually(() => expect(server.state.asked).toHaveLength(1))
    const { clock, app } = server
    const timer = setInterval(() => clock.advance(1000), 1)
    await app.close()
    clearInterval(timer)
    clock.advance(600_000)
    expect([server.state.asked.length, clock.pending]).toEqual([1, 0])
  })
})
