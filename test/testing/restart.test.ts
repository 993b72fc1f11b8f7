import Fastify from 'fastify'
import { afterEach, describe, expect, it } from 'vitest'
import {
  type Call,
  type Client,
  type ClientOptions,
  createClient,
  membership,
  type Room,
} from '../../client/index.js'
import { createClock, createNetwork, type Network, type TestClock } from '../../client/testing/index.js'
import { call, defineContract, event, room, Type } from '../../contract/index.js'
import ackord, { type AckordOptions, namespace } from '../../plugins/index.js'

const contract = defineContract({
  name: 'board',
  version: '1.0.0',
  calls: {
    attempt: call({ input: Type.String(), ack: Type.String() }),
    repeat: call({ input: Type.String(), ack: Type.String(), delivery: 'repeat' }),
    once: call({ input: Type.String(), ack: Type.String(), delivery: 'once' }),
  },
  rooms: {
    board: room({
      params: Type.Object({ id: Type.String() }),
      events: { posted: event({ payload: Type.String(), delivery: 'recoverable' }) },
      history: { messages: 100, seconds: 3600 },
    }),
  },
})

interface BoardCalls {
  readonly attempt: Call<string, string>
  readonly repeat: Call<string, string>
  readonly once: Call<string, string>
}
interface BoardRooms {
  readonly board: (params: { id: string }) => Room<{ posted: { payload: string } }>
}

/** What `ackord generate` makes of the contract. */
const descriptor = {
  name: contract.name,
  version: contract.version,
  hash: contract.hash,
  calls: { attempt: { delivery: 'attempt' }, repeat: { delivery: 'repeat' }, once: { delivery: 'once' } },
  events: {},
  rooms: { board: { membership, params: ['id'], events: ['posted'] } },
} as const

const clients: { close(): void }[] = []
const apps: { close(): PromiseLike<unknown> }[] = []
afterEach(async () => {
  // In this order: an app waits for its clients to move, by a clock that stands still.
  for (const client of clients.splice(0)) client.close()
  for (const app of apps.splice(0)) await app.close()
})

/** A node of its own name; a handler answers when `answer` is called. */
async function node(clock: TestClock, name: string, options: AckordOptions = {}) {
  const app = Fastify()
  apps.push(app)
  const waiting: (() => void)[] = []
  const heard: string[] = []
  const live = namespace(contract, {
    path: '/board',
    // A token is a user, a slash, and the seconds from the clock's start until it ends.
    authenticate: ({ token }) => {
      const [id, end] = (token ?? '').split('/')
      if (!id) return null
      return { id, ...(end && { expiresAt: Date.UTC(2026, 0, 1) + Number(end) * 1000 }) }
    },
  })
  const answer = (input: string) =>
    new Promise<string>((resolve) => {
      heard.push(input)
      waiting.push(() => resolve(`${input} by ${name}`))
    })
  await app.register(ackord, { clock, ...options })
  await app.register(
    live.plugin({
      calls: { attempt: answer, repeat: answer, once: answer },
      rooms: { board: { join: () => true } },
    }),
  )
  const answerAll = () => {
    for (const give of waiting.splice(0)) give()
  }
  return { app, heard, answer: answerAll }
}

function connect(clock: TestClock, { WebSocket, fetch }: Network, options: ClientOptions = {}) {
  const client: Client<BoardCalls, object, BoardRooms> = createClient<BoardCalls, object, BoardRooms>(
    descriptor,
    'ws://test/board',
    {
      ...{ clock, WebSocket, fetch, random: () => 0.5, token: () => 'ada', ...options },
    },
  )
  clients.push(client)
  return client
}

describe('a rolling restart in memory', () => {
  it('moves a client to the next node: nothing is lost, run twice, or noticed', async () => {
    const clock = createClock()
    const [first, second] = [await node(clock, 'first'), await node(clock, 'second')]
    const network = await createNetwork(first.app)
    const client = connect(clock, network)
    const states = new Set<string>()
    client.connection.connect()
    await network.settle()
    client.connection.subscribe(() => states.add(client.connection.state))
    const board = client.rooms.board({ id: 'a' })
    await Promise.all([board.join(), network.settle()])
    const before = [client.calls.attempt('a'), client.calls.repeat('b'), client.calls.once('c')]
    await network.settle()

    await network.moveTo(second.app)
    const closed = first.app.close()
    await clock.advanceAsync(200)
    const after = [client.calls.attempt('d'), client.calls.repeat('e')]
    const third = client.calls.once('f')
    await clock.advanceAsync(200)
    expect(network.connections.length).toBe(2)
    first.answer()
    await network.settle()
    second.answer()
    await clock.advanceAsync(500)
    await closed
    expect(await Promise.all(before)).toEqual(['a by first', 'b by first', 'c by first'])
    expect(await Promise.all([...after, third])).toEqual(['d by second', 'e by second', 'f by second'])
    expect([...first.heard, ...second.heard]).toEqual(['a', 'b', 'c', 'd', 'e', 'f'])
    expect([...states]).toEqual(['open'])
    expect(board.state).toBe('joined')
    expect(network.connections.length).toBe(1)
  })

  it('is an ordinary loss where there is no other node, with the reason in the snapshot', async () => {
    const clock = createClock()
    const only = await node(clock, 'only')
    const network = await createNetwork(only.app)
    const client = connect(clock, network)
    client.connection.connect()
    await network.settle()
    const closed = only.app.close()
    await clock.advanceAsync(6000)
    await closed
    expect(client.connection.state).not.toBe('open')
    expect(client.connection.get().attempt).toBeGreaterThan(0)
    const next = await node(clock, 'next')
    await network.moveTo(next.app)
    await clock.advanceAsync(60_000)
    expect(client.connection.state).toBe('open')
  })
})

describe('a refusal in memory', () => {
  it('is learned by the network’s own fetch', async () => {
    const clock = createClock()
    const { app } = await node(clock, 'only', { allowedOrigins: ['https://app.example'] })
    const network = await createNetwork(app, { headers: { origin: 'https://evil.example' } })
    const client = connect(clock, network)
    client.connection.connect()
    await network.settle()
    expect(client.connection.get()).toMatchObject({ state: 'closed', closed: { code: 4507 } })
    expect(client.connection.get().closed?.reason).toMatch(/origin/i)
    expect(network.connections).toEqual([])
  })

  it('of a network that is down is none', async () => {
    const clock = createClock()
    const network = await createNetwork((await node(clock, 'only')).app)
    network.cut()
    await expect(
      network.fetch('http://test/board', {
        ...{ credentials: 'include', cache: 'no-store', signal: new AbortController().signal },
      }),
    ).rejects.toThrow('ECONNREFUSED')
    const client = connect(clock, network)
    client.connection.connect()
    await network.settle()
    expect(client.connection.get()).toMatchObject({ state: 'waiting', closed: { code: 1006 } })
    network.restore()
    await clock.advanceAsync(1000)
    expect(client.connection.state).toBe('open')
  })
})

describe('a token in memory', () => {
  it('is refreshed before it ends, and the connection stays', async () => {
    const clock = createClock()
    const network = await createNetwork((await node(clock, 'only')).app)
    let tokens = 0
    const client = connect(clock, network, { token: () => `ada/${++tokens * 100}` })
    client.connection.connect()
    await clock.advanceAsync(450_000)
    expect(tokens).toBeGreaterThan(3)
    expect(tokens).toBeLessThan(8)
    expect(client.connection.get()).toMatchObject({ state: 'open', closed: undefined })
  })

  it('of another user ends the connection for good', async () => {
    const clock = createClock()
    const network = await createNetwork((await node(clock, 'only')).app)
    const tokens = ['ada/100', 'bob/1000']
    const client = connect(clock, network, { token: () => tokens.shift() ?? '' })
    client.connection.connect()
    await clock.advanceAsync(100_000)
    expect(client.connection.get()).toMatchObject({ state: 'closed', closed: { code: 4510 } })
  })
})
