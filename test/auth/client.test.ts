import Fastify from 'fastify'
import { describe, expect, it, onTestFinished } from 'vitest'
import { type ClientOptions, createClient, membership, type Room } from '../../client/index.js'
import { createClock, createNetwork } from '../../client/testing/index.js'
import { defineContract, event, room, Type } from '../../contract/index.js'
import { ackord, namespace } from '../../plugins/index.js'
import { eventually } from '../gateway/support.js'

const contract = defineContract({
  name: 'board',
  version: '1.0.0',
  rooms: {
    board: room({
      params: Type.Object({ id: Type.String() }),
      events: { posted: event({ payload: Type.Object({ text: Type.String() }) }) },
    }),
  },
})
const descriptor = {
  name: contract.name,
  version: contract.version,
  hash: contract.hash,
  calls: {},
  events: {},
  rooms: { board: { membership, params: ['id'], events: ['posted'] } },
} as const
interface Rooms {
  readonly board: (params: { id: string }) => Room<{ posted: { payload: { text: string } } }>
}

/** The shipped client and a server, in memory. Tokens are `user:role:end`; `allowed` are the roles that may be on the board. */
async function serve() {
  const clock = createClock()
  const app = Fastify()
  const allowed = new Set(['member', 'guest'])
  const live = namespace(contract, {
    path: '/board',
    authenticate: ({ token }) => {
      const [id = '', role = '', end] = token.split(':')
      return { id, role, ...(end && { expiresAt: clock.wall() + Number(end) }) }
    },
  })
  await app.register(ackord, { clock })
  await app.register(
    live.plugin({ rooms: { board: { join: (_params, { user }) => allowed.has(user.role) } } }),
  )
  const network = await createNetwork(app)
  onTestFinished(() => {
    network.cut()
    return app.close()
  })
  const connect = (token: ClientOptions['token']) => {
    const { WebSocket } = network
    const client = createClient<object, object, Rooms>(descriptor, 'ws://test/board', {
      clock,
      WebSocket,
      ...(token && { token }),
    })
    onTestFinished(() => client.close())
    const states: string[] = []
    client.connection.subscribe(() => states.push(client.connection.state))
    return { client, states }
  }
  return { app, allowed, clock, connect, live: app.ackord(live) }
}

describe('the shipped client', () => {
  it('brings a fresh token each time, and stays on one connection for hours', async () => {
    const { clock, connect, live } = await serve()
    let tokens = 0
    const { client, states } = connect(() => `ann:member:${60_000 + ++tokens}`)
    void client.rooms.board({ id: 'a' }).join()
    await clock.advanceAsync(1000)
    const [connection] = live.connections()
    for (let minute = 0; minute < 120; minute++) await clock.advanceAsync(60_000)
    expect(client.connection.state).toBe('open')
    expect(states.filter((state) => state === 'connecting')).toHaveLength(1)
    expect([...live.connections()]).toEqual([connection])
    // One at the start, and one each half minute or so.
    expect(tokens).toBeGreaterThan(200)
    expect(tokens).toBeLessThan(260)
  })

  it('hears that it lost a room when its fresh token says less, and nothing of the room afterwards', async () => {
    const { allowed, clock, connect, live } = await serve()
    let role = 'member'
    const { client } = connect(() => `ann:${role}:60000`)
    const board = client.rooms.board({ id: 'a' })
    const [heard, left]: [string[], string[]] = [[], []]
    board.on('posted', ({ text }) => heard.push(text))
    board.onLeft((why) => left.push(why))
    void board.join()
    await clock.advanceAsync(1000)
    await live.room.board({ id: 'a' }).publish('posted', { text: 'one' })
    await clock.advanceAsync(0)
    role = 'guest'
    allowed.delete('guest')
    await clock.advanceAsync(31_000)
    await live.room.board({ id: 'a' }).publish('posted', { text: 'two' })
    await clock.advanceAsync(1000)
    expect([heard, left, client.connection.state]).toEqual([['one'], ['revoked'], 'open'])
    expect([...live.connections()].map(({ user }) => user)).toMatchObject([{ role: 'guest' }])
  })

  it('asked by revoke for a fresh token brings one; revoked it does not come back', async () => {
    const { clock, connect, live } = await serve()
    let tokens = 0
    const { client, states } = connect(() => `ann:member${tokens++ > 0 ? '' : ':600000'}`)
    void client.rooms.board({ id: 'a' }).join()
    await clock.advanceAsync(1000)
    await live.revoke({ user: 'ann' }, { mode: 'reauthorize' })
    await clock.advanceAsync(60_000)
    expect([tokens, client.connection.state]).toEqual([2, 'open'])
    await live.revoke({ user: 'ann' })
    await clock.advanceAsync(600_000)
    expect(client.connection.state).toBe('closed')
    expect(states.filter((state) => state === 'connecting')).toHaveLength(1)
  })

  it('comes in with a ticket for each connection', async () => {
    const { app, clock, connect, live } = await serve()
    const { client } = connect(async () => {
      const headers = { authorization: 'Bearer ann:member' }
      const answer = await app.inject({ method: 'POST', url: '/board/ticket', headers })
      return answer.json<{ ticket: string }>().ticket
    })
    void client.rooms.board({ id: 'a' }).join()
    const open = (): Promise<void> =>
      eventually(async () => {
        await clock.advanceAsync(500)
        expect([client.connection.state, [...live.connections()].length]).toEqual(['open', 1])
      })
    await open()
    const [first] = live.connections()
    first?.disconnect('reauthenticate')
    await clock.advanceAsync(0)
    await open()
    expect([...live.connections()]).not.toContain(first)
  })
})
