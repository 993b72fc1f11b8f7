import { afterEach, expect, it } from 'vitest'
import { serverClock } from '../../contract/server-clock.js'
import { script } from '../../plugins/redis/index.js'
import { type ServerNode, startNode, startNodes } from '../cluster/support/nodes.js'
import { abortAll, type RawClient } from '../support/raw-client.js'
import { describeWithRedis, openHub, startRedis, type TestRedis } from '../support/redis.js'
import { contract, type ServerOptions } from '../support/server.js'
import { until } from '../support/until.js'
import { beginRound, settled } from './support.js'

afterEach(abortAll)

const KEY = 'ackord:{/v1/live ann}:sessions'

async function two(options: ServerOptions = {}) {
  const { redis, nodes } = await startNodes(2, options)
  const [a, b] = nodes
  if (a === undefined || b === undefined) throw new Error('two were started')
  return { redis, a, b }
}

/** Says HELLO and makes a call, without waiting for WELCOME. */
async function hasten(node: ServerNode, session: string, user = 'ann'): Promise<RawClient> {
  const client = await node.connect()
  client.send([1, session, contract.hash, '1.0.0', ['goaway'], user])
  client.send([2, 1, 'echo', { text: `first of ${session}` }])
  return client
}

/** What stands in Redis: the sessions of ann, each with its node. */
const placesIn = async (redis: TestRedis): Promise<Record<string, string>> => {
  const entries = await (await redis.connect()).hgetall(KEY)
  return Object.fromEntries(Object.entries(entries).map(([key, text]) => [key, text.split(' ')[0] ?? '']))
}

const connections = ({ live }: ServerNode): string[] =>
  [...live.connections()].map(({ user, session }) => `${user.id} ${session}`)

describeWithRedis('a session on two nodes', () => {
  it('has one connection: the older one has ended before the first call on the younger runs', async () => {
    const seen: unknown[] = []
    const nodes: ServerNode[] = []
    const { redis, a, b } = await two({
      after: (app) => {
        app.ackordGateway.addHook('onCall', ({ connection }, next) => {
          if (connection.user.id === 'ann') seen.push(nodes.flatMap(connections))
          return next()
        })
      },
    })
    const older = await a.enter('ann', 's')
    const stays = await a.enter('ann', 'another')
    nodes.push(a)
    const younger = await hasten(b, 's')
    expect(await younger.next(18)).toEqual([18, 1, { text: 'first of s' }])
    expect(seen).toEqual([['ann another']])
    expect(await older.closed()).toEqual({ code: 4505, reason: 'the session has a newer connection' })
    expect(await placesIn(redis)).toEqual({ s: b.id, another: a.id })
    // And back.
    const third = await hasten(a, 's')
    await third.next(18)
    expect((await younger.closed()).code).toBe(4505)
    await settled(stays)
    expect(await placesIn(redis)).toEqual({ s: a.id, another: a.id })
  })

  it('is one of a user: the same name is another session for another', async () => {
    const { a, b } = await two()
    const [ann, ben] = [await a.enter('ann', 's'), await b.enter('ben', 's')]
    await Promise.all([settled(ann), settled(ben)])
  })

  it('gives its place back, unless another connection has it', async () => {
    const { redis, a, b } = await two()
    const client = await a.enter('ann', 's')
    await b.enter('ann', 's')
    await client.closed()
    expect(await placesIn(redis)).toEqual({ s: b.id })
    const other = await a.enter('ann', 't')
    other.abort()
    await until(async () => (await placesIn(redis)).t === undefined)
    expect(await (await redis.connect()).pttl(KEY)).toBeGreaterThan(80_000_000)
  })

  it('keeps the younger connection where the older one is authenticated later', async () => {
    let release = (): void => {}
    const held = new Promise<void>((resolve) => {
      release = resolve
    })
    const redis = await startRedis()
    const b = await startNode(redis.port)
    let isHeld = false
    // Two connections of one client are further apart than a message between nodes takes, however busy the machine is.
    let since = 0
    const clock = { ...serverClock, wall: () => serverClock.wall() + since }
    const a = await startNode(redis.port, {
      clock,
      namespace: {
        authenticate: async ({ token }) => {
          isHeld = true
          await held
          return { id: token, role: 'member' }
        },
      },
    })
    await until(() => a.cluster.nodes().length === 2)
    await beginRound(redis, b, 'bob')
    const older = await hasten(a, 's')
    await until(() => isHeld)
    since = 2000
    const younger = await b.enter('ann', 's')
    release()
    expect((await older.closed()).code).toBe(4505)
    expect(older.frames).toEqual([])
    await settled(younger)
    // Its place was taken for a moment.
    await until(async () => (await placesIn(redis)).s === b.id)
  })

  it('leaves a connection that was told to go to its client: it is only marked', async () => {
    const { a, b } = await two({ grace: 60_000 })
    const older = await hasten(a, 's')
    await older.next(18)
    older.send([2, 2, 'wait', { name: 'one' }])
    await until(() => a.probe.signals.has('one'))
    const closing = a.app.close()
    await older.next(26)
    const younger = await hasten(b, 's')
    await younger.next(18)
    await until(() => [...a.gateway.sockets].every(({ isReplaced }) => isReplaced))
    expect(a.gateway.sockets.size).toBe(1)
    a.probe.release('one')
    expect(await older.next(18)).toEqual([18, 2, null])
    older.close(4004)
    await closing
    await settled(younger)
  })

  it('goes on where the node that had it does not answer', async () => {
    const { redis, a } = await two()
    const client = await redis.connect()
    await client.hset('ackord:{nodes}', 'mute', '1 1 {}')
    await until(() => a.cluster.isAlive('mute'))
    await client.hset(KEY, 's', `mute 7 ${Date.now() - 5000}`)
    await settled(await a.enter('ann', 's'))
    expect(await placesIn(redis)).toEqual({ s: a.id })
  })
})

describeWithRedis('maxConnectionsPerUser', () => {
  it('counts the sessions of a user on all nodes', async () => {
    const { a, b } = await two({ maxConnectionsPerUser: 2 })
    const first = await a.enter('ann', 's1')
    await b.enter('ann', 's2')
    const full = { code: 1013, reason: 'too many connections of this user' }
    for (const node of [a, b]) expect(await (await hasten(node, 's3')).closed()).toEqual(full)
    await b.enter('ben', 's3')
    // One that comes back is not one more.
    await a.enter('ann', 's2')
    first.abort()
    await until(() => connections(a).length === 1)
    await b.enter('ann', 's3')
    expect(await (await hasten(a, 's4')).closed()).toEqual(full)
  })

  it('does not count what a node that died has left, nor what was never given back', async () => {
    const { redis, a, b } = await two({ maxConnectionsPerUser: 3 })
    const client = await redis.connect()
    const old = Date.now() - 60_000
    await b.enter('ann', 'here')
    await client.hset(KEY, {
      dead: `died 1 ${old}`,
      ours: `${a.id} 999 ${old}`,
      theirs: `${b.id} 999 ${old}`,
    })
    await a.enter('ann', 'new')
    expect(await placesIn(redis)).toEqual({ here: b.id, new: a.id })
    // One of a node that has just come may be one that is not known yet.
    await client.hset(KEY, 'young', `newcomer 1 ${Date.now()}`)
    expect((await (await hasten(a, 'more')).closed()).code).toBe(1013)
    expect(Object.keys(await placesIn(redis)).sort()).toEqual(['here', 'new', 'young'])
  })
})

describeWithRedis('sessions without Redis', () => {
  it('are those of this node, and there is one connection of each again when it is back', async () => {
    const { redis, a, b } = await two({ maxConnectionsPerUser: 1 })
    const client = await redis.connect()
    const [here, there] = [await beginRound(redis, a, 'ben'), await beginRound(redis, b, 'bob')]
    await redis.kill()
    const older = await a.enter('ann', 's')
    const younger = await b.enter('ann', 's')
    await Promise.all([settled(older), settled(younger)])
    expect((await (await hasten(a, 'more')).closed()).code).toBe(1013)
    await redis.start()
    expect((await older.closed()).code).toBe(4505)
    await until(async () => (await placesIn(redis)).s === b.id)
    await Promise.all([younger, here, there].map(settled))
    await until(async () => (await client.keys('*:sessions')).length === 3)
  })

  it('let a client in while Redis is frozen, and count it afterwards', async () => {
    const { redis, a } = await two()
    redis.freeze()
    const client = await a.enter('ann', 's')
    redis.resume()
    await until(async () => (await placesIn(redis)).s === a.id)
    await settled(client)
  })
})

describeWithRedis('the script that takes a place', () => {
  it('tells connections apart by their age, and those of one node by their order', async () => {
    const redis = await startRedis()
    const hub = await openHub(await redis.connect())
    const client = await redis.connect()
    const claim = (node: string, order: number, age: number, most = 0, ...dropped: string[]) =>
      hub.run(script('session-claim'), ['h'], ['s', node, order, age, most, 60_000, 3000, ...dropped])
    expect(await claim('a', 1, 10_000)).toEqual(['granted', ''])
    expect(await claim('b', 1, 20_000)).toEqual(['fenced'])
    expect(await claim('b', 2, 11_000)).toEqual(['granted', 'a 1'])
    expect(await claim('b', 1, 0)).toEqual(['fenced'])
    // The reply may have been lost.
    expect(await claim('b', 2, 11_000)).toEqual(['granted', 'a 1'])
    expect(await claim('b', 3, 50_000)).toEqual(['granted', ''])
    expect(await claim('a', 9, 0)).toEqual(['granted', 'b 3'])
    // Of a server whose clock was ahead.
    await client.hset('h', 's', `c 1 ${Date.now() + 60_000}`)
    expect(await claim('a', 9, 60_000)).toEqual(['granted', 'c 1'])
    await client.hset('h', { t: 'a 2 5', u: 'a 3 5' })
    await client.hdel('h', 's')
    expect(await claim('a', 9, 0, 2)).toEqual([
      'full',
      expect.stringMatching(/^\d+$/),
      't',
      'a 2 5',
      'u',
      'a 3 5',
    ])
    expect(await claim('a', 9, 0, 2, 't', 'a 2 6')).toContain('full')
    expect(await claim('a', 9, 0, 2, 't', 'a 2 5')).toEqual(['granted', ''])
  })
})
