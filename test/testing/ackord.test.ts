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
import ackord, { namespace } from '../../plugins/index.js'

const contract = defineContract({
  name: 'board',
  version: '1.0.0',
  calls: {
    attempt: call({ input: Type.String(), ack: Type.Integer() }),
    repeat: call({ input: Type.String(), ack: Type.Integer(), delivery: 'repeat' }),
  },
  rooms: {
    board: room({
      params: Type.Object({ id: Type.String() }),
      events: {
        posted: event({ payload: Type.Object({ text: Type.String() }), delivery: 'recoverable' }),
      },
      history: { messages: 100, seconds: 3600 },
    }),
  },
})

interface BoardCalls {
  readonly attempt: Call<string, number>
  readonly repeat: Call<string, number>
}

interface BoardRooms {
  readonly board: (params: { id: string }) => Room<{ posted: { payload: { text: string } } }>
}

/** What `ackord generate` makes of the contract. */
const descriptor = {
  name: contract.name,
  version: contract.version,
  hash: contract.hash,
  calls: { attempt: { delivery: 'attempt' }, repeat: { delivery: 'repeat' } },
  events: {},
  rooms: { board: { membership, params: ['id'], events: ['posted'] } },
} as const

const ends: (() => PromiseLike<unknown> | void)[] = []
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
})

async function serve() {
  const clock = createClock()
  const app = Fastify()
  ends.push(() => app.close())
  const heard: string[] = []
  const live = namespace(contract, { path: '/board', authenticate: 'none' })
  const hear = (text: string) => heard.push(text)
  await app.register(ackord, { clock })
  await app.register(
    live.plugin({ calls: { attempt: hear, repeat: hear }, rooms: { board: { join: () => true } } }),
  )
  const network = await createNetwork(app)
  // Before app.close(): a stalled peer would make it wait for its grace time.
  ends.push(() => network.cut())
  const post = (text: string) => app.ackord(live).room.board({ id: 'a' }).publish('posted', { text })
  return { app, clock, heard, live, network, post, client: connect(clock, network) }
}

function connect(
  clock: TestClock,
  network: Network,
  options: ClientOptions = { random: () => 0.5 },
): Client<BoardCalls, object, BoardRooms> {
  const { WebSocket } = network
  const client = createClient<BoardCalls, object, BoardRooms>(descriptor, 'ws://test/board', {
    clock,
    WebSocket,
    backoff: { max: 1_000 },
    ...options,
  })
  ends.push(() => client.close())
  return client
}

describe('ackord in memory', () => {
  it('answers calls', async () => {
    const { client, heard } = await serve()
    expect(await client.calls.attempt('hello')).toBe(1)
    expect(heard).toEqual(['hello'])
  })

  it('shows what a call meets when the network is cut while it is in flight', async () => {
    const { client, clock, heard, network } = await serve()
    client.connection.connect()
    await network.settle()
    network.stall()
    const attempt = client.calls.attempt.result('lost')
    const repeat = client.calls.repeat('again')
    network.cut()
    network.resume()
    await clock.advanceAsync(10_000)
    expect(client.connection.state).not.toBe('open')
    expect(await attempt).toMatchObject({ ok: false, error: { code: 'CONNECTION_LOST' } })
    network.restore()
    await clock.advanceAsync(1_000)
    expect(await repeat).toBe(1)
    expect(heard).toEqual(['again'])
  })

  it('lets a client and a server find out about a half-open connection', async () => {
    const { app, client, clock, live, network } = await serve()
    client.connection.connect()
    await network.settle()
    network.connections[0]?.stall()
    await clock.advanceAsync(60_000)
    expect(client.connection.get()).toMatchObject({ state: 'open', closed: { code: 4000 } })
    expect([...app.ackord(live).connections()]).toHaveLength(1)
  })

  it('lets a client that slept probe before it gives up', async () => {
    const { client, clock, network } = await serve()
    client.connection.connect()
    await network.settle()
    const [connection] = network.connections
    clock.sleep(70_000)
    await clock.advanceAsync(0)
    await clock.advanceAsync(60_000)
    expect(client.connection.state).toBe('open')
    expect(connection?.stalled).toBe(false)
  })

  it('recovers what a room published while a client was away, in order', async () => {
    const { client, clock, network, post } = await serve()
    const board = client.rooms.board({ id: 'a' })
    const told: [string, boolean][] = []
    board.on('posted', ({ text }, { recovered }) => void told.push([text, recovered]))
    expect(await board.join()).toMatchObject({ ok: true })
    await post('one')
    await network.settle()
    network.cut()
    await post('two')
    await post('three')
    network.restore()
    await clock.advanceAsync(1_000)
    await post('four')
    await network.settle()
    expect(told).toEqual([
      ['one', false],
      ['two', true],
      ['three', true],
      ['four', false],
    ])
  })

  it('goes through a hundred reconnects without leaving anything behind', async () => {
    const { app, client, clock, live, network } = await serve()
    client.connection.connect()
    await network.settle()
    const pending = clock.pending
    for (let turn = 0; turn < 100; turn++) {
      network.cut()
      network.restore()
      await clock.advanceAsync(1_000)
    }
    expect(client.connection.state).toBe('open')
    expect([...app.ackord(live).connections()]).toHaveLength(1)
    expect(network.connections).toHaveLength(1)
    expect(clock.pending).toBe(pending)
  })

  it('takes a first flight in its order: a room that was left and joined again is joined', async () => {
    const { network, post } = await serve()
    await post('one')
    const told: unknown[][] = []
    const socket = new network.WebSocket('ws://test/board', ['ackord.v1.json'])
    socket.onmessage = (event: { data: string }) => void told.push(JSON.parse(event.data))
    socket.onopen = () => {
      socket.send(JSON.stringify([1, 'session-1', contract.hash, contract.version, []]))
      socket.send(JSON.stringify([6, 1, 'board', { id: 'a' }, null, 50]))
      socket.send(JSON.stringify([7, 1]))
      socket.send(JSON.stringify([6, 2, 'board', { id: 'a' }, null, 50]))
    }
    await network.settle()
    await post('two')
    await network.settle()
    expect(told.filter(([type]) => type === 22).map((frame) => frame.slice(0, 2))).toContainEqual([22, 2])
    expect(told.slice(-2).map((frame) => frame[3])).toEqual([{ text: 'one' }, { text: 'two' }])
    socket.close(1000)
  })

  it('reconnects with the randomness of a real client', async () => {
    const { client: first, clock, network } = await serve()
    first.close()
    const client = connect(clock, network, {})
    const times: number[] = []
    client.connection.subscribe(() => void times.push(clock.now()))
    client.connection.connect()
    await network.settle()
    for (let turn = 0; turn < 5; turn++) {
      network.cut()
      network.restore()
      await clock.advanceAsync(1_000)
      expect(client.connection.get()).toMatchObject({ state: 'open', closed: { code: 1006 } })
    }
    // A fraction of a millisecond in a timer would be one in everything that reads the clock after it.
    expect(times.length).toBeGreaterThan(5)
    expect(times.filter((time) => !Number.isInteger(time))).toEqual([])
  })

  it('closes the app within its grace time, and the client waits to come back', async () => {
    const { app, client, clock, network } = await serve()
    client.connection.connect()
    await network.settle()
    const closing = app.close()
    await clock.advanceAsync(5_000)
    await closing
    expect(client.connection.get().closed).toBeDefined()
    expect(['waiting', 'connecting']).toContain(client.connection.state)
    expect(network.connections).toEqual([])
  })
})
