/** Generated-client behaviour over two nodes and a real Redis: rooms, presence, a lost log, and a server that is away. */
import Fastify from 'fastify'
import { expect, it, onTestFinished } from 'vitest'
import { createClient, type Member, membership, presence, type RoomWithPresence } from '../../client/index.js'
import { createNetwork } from '../../client/testing/index.js'
import { defineContract, event, room, Type } from '../../contract/index.js'
import ackord, { namespace } from '../../plugins/index.js'
import { describeWithRedis, startRedis, type TestRedis } from '../support/redis.js'
import { until } from '../support/until.js'

const contract = defineContract({
  name: 'board',
  version: '1.0.0',
  rooms: {
    board: room({
      params: Type.Object({}),
      events: { posted: event({ payload: Type.String(), delivery: 'recoverable' }) },
      presence: Type.String(),
      history: { messages: 100, seconds: 600 },
    }),
  },
})

interface BoardRooms {
  readonly board: (
    params: Record<never, never>,
  ) => RoomWithPresence<{ readonly posted: { readonly payload: string } }, string>
}

const descriptor = {
  ...{ version: contract.version, hash: contract.hash, calls: {} },
  rooms: { board: { membership, params: [], presence } },
} as const

/** A node, and a client of it. */
async function node(redis: TestRedis, user: string) {
  const app = Fastify()
  onTestFinished(() => app.close())
  const live = namespace(contract, {
    path: '/board',
    authenticate: ({ token }) => (token === undefined ? null : { id: token }),
  })
  await app.register(ackord, { redis: await redis.connect(), grace: 100 })
  // Who may join is asked for each JOIN.
  const joins = { asked: 0 }
  const join = () => ++joins.asked > 0
  await app.register(live.plugin({ rooms: { board: { join } } }))
  const network = await createNetwork(app)
  const client = createClient<object, object, BoardRooms>(descriptor, 'ws://test/board', {
    WebSocket: network.WebSocket,
    token: () => user,
  })
  onTestFinished(() => client.close())
  const log: string[] = []
  const board = client.rooms.board({})
  board.on('posted', (text, { position }) => log.push(`${text} ${position?.offset}`))
  board.onGap((reason) => void log.push(`gap ${reason}`))
  const post = (text: string) => app.ackord(live).room.board({}).publish('posted', text)
  return { board, client, joins, log, post }
}

const shown = (members: readonly Member<string>[]): string =>
  members
    .map(({ user, state }) => `${user}:${state ?? '-'}`)
    .sort()
    .join(' ')

describeWithRedis('clients of two nodes', () => {
  it('hear the same and see each other', async () => {
    const redis = await startRedis()
    const [ada, bob] = [await node(redis, 'ada'), await node(redis, 'bob')]
    ada.board.presence.set('here')
    for (const { board } of [ada, bob]) expect(await board.join()).toMatchObject({ ok: true })
    await ada.post('a')
    await bob.post('b')
    await until(() => ada.log.length === 2 && bob.log.length === 2)
    expect([ada.log, bob.log]).toEqual([
      ['a 1', 'b 2'],
      ['a 1', 'b 2'],
    ])
    for (const { board } of [ada, bob]) await until(() => shown(board.presence.get()) === 'ada:here bob:-')
    bob.board.presence.set('away')
    await until(() => shown(ada.board.presence.get()) === 'ada:here bob:away')
    ada.board.leave()
    await until(() => shown(bob.board.presence.get()) === 'bob:away')
  }, 30_000)

  it('are told of a log that was lost, and go on without joining again', async () => {
    const redis = await startRedis()
    const [ada, bob] = [await node(redis, 'ada'), await node(redis, 'bob')]
    for (const { board } of [ada, bob]) await board.join()
    await ada.post('a')
    await until(() => bob.log.length === 1)
    const states: string[] = []
    bob.board.subscribe(() => states.push(bob.board.state))
    await (await redis.connect()).flushall()
    // The nodes learn of it by what comes next. That is part of the gap: it was there before the gap was told.
    await ada.post('b')
    await until(() => ada.log.includes('gap epoch') && bob.log.includes('gap epoch'))
    await bob.post('c')
    await until(() => ada.log.includes('c 2') && bob.log.includes('c 2'))
    expect(ada.log).toEqual(['a 1', 'gap epoch', 'c 2'])
    expect(bob.log).toEqual(['a 1', 'gap epoch', 'c 2'])
    expect(states.filter((state) => state !== 'joined')).toEqual([])
  }, 30_000)

  it('know that Redis is away, and that it is back', async () => {
    const redis = await startRedis()
    const { board, client } = await node(redis, 'ada')
    await board.join()
    expect(client.connection.get()).toMatchObject({ state: 'open', degraded: false })
    redis.freeze()
    await until(() => client.connection.get().degraded)
    redis.resume()
    await until(() => !client.connection.get().degraded)
    expect([client.connection.state, board.state]).toEqual(['open', 'joined'])
  }, 60_000)

  it('join once Redis is back, where the first JOIN came while it was away', async () => {
    const redis = await startRedis()
    const { board, client, joins, post, log } = await node(redis, 'ada')
    client.connection.connect()
    await until(() => client.connection.state === 'open')
    redis.freeze()
    await until(() => client.connection.get().degraded)
    const joined = board.join()
    await until(() => joins.asked > 1)
    expect(board.state).toBe('joining')
    redis.resume()
    expect(await joined).toMatchObject({ ok: true, gap: undefined })
    await post('a')
    await until(() => log.length === 1)
    expect(log).toEqual(['a 1'])
  }, 60_000)
})
