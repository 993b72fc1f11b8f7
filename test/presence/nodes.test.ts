import { isDeepStrictEqual } from 'node:util'
import { expect, it } from 'vitest'
import { clusterOf } from '../../plugins/cluster/index.js'
import { redisOf } from '../../plugins/redis/index.js'
import type { RawClient } from '../support/raw-client.js'
import { describeWithRedis, startRedis, type TestRedis } from '../support/redis.js'
import { until } from '../support/until.js'
import { Seen, startNode, type TestNode } from './support.js'

const startTwo = async (): Promise<{ redis: TestRedis; a: TestNode; b: TestNode }> => {
  const redis = await startRedis()
  const [a, b] = [
    await startNode({ redis: await redis.connect() }),
    await startNode({ redis: await redis.connect() }),
  ]
  return { redis, a, b }
}

const isUp = (node: TestNode): boolean => redisOf(node.gateway)?.isUp === true

/** What a client was told of a user since JOINED: their states, and `left`. */
const toldOf = (client: RawClient, user: string): unknown[] =>
  client.received.flatMap(({ frame = [] }) => {
    const [type, , joined, updated, left] = frame
    if (type !== 24) return []
    const shown = [...(joined as unknown[][]), ...(updated as unknown[][])]
    const states = shown.filter(([name]) => name === user).map(([, state]) => state)
    return (left as unknown[]).includes(user) ? [...states, 'left'] : states
  })

describeWithRedis('presence on two nodes', () => {
  it('shows each node the members of the other, a user on both once', async () => {
    const { a, b } = await startTwo()
    const ann = await Seen.join(await a.enter('ann'), 'a', 1, { status: 'here' })
    await ann.becomes({ ann: [{ status: 'here' }, 1] })
    const bob = await Seen.join(await b.enter('bob'))
    expect(bob.all).toEqual({ ann: [{ status: 'here' }, 1], bob: [null, 1] })
    await ann.becomes({ ann: [{ status: 'here' }, 1], bob: [null, 1] })
    const second = await b.enter('ann')
    await Seen.join(second, 'a', 1, { status: 'there' })
    await ann.becomes({ ann: [{ status: 'there' }, 2], bob: [null, 1] })
    await bob.becomes({ ann: [{ status: 'there' }, 2], bob: [null, 1] })
    second.close()
    await ann.becomes({ ann: [{ status: 'there' }, 1], bob: [null, 1] })
    await bob.becomes({ ann: [{ status: 'there' }, 1], bob: [null, 1] })
  })

  it('lets the server ask on a node where nobody is in the room', async () => {
    const { a, b } = await startTwo()
    const ann = await Seen.join(await a.enter('ann'), 'a', 1, { status: 'here' })
    await ann.becomes({ ann: [{ status: 'here' }, 1] })
    await until(async () => (await b.live.room.desk({ id: 'a' }).presence())[0]?.state !== undefined)
    expect(await b.live.room.desk({ id: 'a' }).presence()).toEqual([
      { user: 'ann', state: { status: 'here' }, connections: 1 },
    ])
  })

  it('is a ClusterError where nobody of the node is in the room and Redis is away', async () => {
    const { redis, a } = await startTwo()
    const ann = await Seen.join(await a.enter('ann'))
    await ann.becomes({ ann: [null, 1] })
    await redis.kill()
    await expect(a.live.room.desk({ id: 'b' }).presence()).rejects.toMatchObject({
      name: 'ClusterError',
      code: 'UNAVAILABLE',
      retry: true,
      message: expect.stringContaining('could not be read from Redis'),
    })
    expect(await a.live.room.desk({ id: 'a' }).presence()).toEqual([
      { user: 'ann', state: undefined, connections: 1 },
    ])
  })

  it('ends within a second of the stop of their node', async () => {
    const { a, b } = await startTwo()
    const ann = await Seen.join(await a.enter('ann'))
    await Seen.join(await b.enter('bob'))
    await ann.becomes({ ann: [null, 1], bob: [null, 1] })
    const closed = b.app.close().then(() => performance.now())
    await ann.becomes({ ann: [null, 1] })
    expect(performance.now() - (await closed)).toBeLessThan(1000)
  })

  it('does not lose sight of a user, nor of their state, who goes to another node when told to', async () => {
    const redis = await startRedis()
    const start = async (grace: number): Promise<TestNode> =>
      startNode({ redis: await redis.connect(), grace })
    const [a, b, c] = [await start(5000), await start(300), await start(300)]
    await until(() => [a, b].every(({ gateway }) => clusterOf(gateway).nodes().length === 3))
    const moves = { session: 'moves', features: ['goaway'] }
    const [older, bobs] = [await a.enter('ann', moves), await a.enter('bob', { features: ['goaway'] })]
    const [beas, cids] = [await b.enter('bea'), await c.enter('cid')]
    await Seen.join(older, 'a', 1, { status: 'here' })
    await Seen.join(bobs)
    const bea = await Seen.join(beas)
    const cid = await Seen.join(cids)
    const others = { bob: [null, 1], cid: [null, 1] } as const
    for (const seen of [bea, cid])
      await seen.becomes({ ...others, ann: [{ status: 'here' }, 1], bea: [null, 1] })
    const stopped = a.app.close()
    await Promise.all([older.next(28), bobs.next(28)])
    const newer = await b.enter('ann', moves)
    const before = [bobs, beas, cids].map((client) => toldOf(client, 'ann').length)
    // What b writes next has to wait for its turn.
    beas.send([8, 1, { status: 'busy' }])
    await beas.ping()
    const ann = await Seen.join(newer, 'a', 1, { status: 'here' })
    older.close(4004)
    bobs.close(4004)
    const rest = { ann: [{ status: 'here' }, 1], bea: [{ status: 'busy' }, 1], cid: [null, 1] } as const
    await stopped
    await Promise.all([ann, bea, cid].map((seen) => seen.becomes(rest)))
    const told = [bobs, beas, cids].flatMap((client, i) => toldOf(client, 'ann').slice(before[i]))
    expect(
      [...told, ...toldOf(newer, 'ann')].filter((state) => !isDeepStrictEqual(state, { status: 'here' })),
    ).toEqual([])
  })

  it('keeps nothing in Redis of a room that everybody has left', async () => {
    const { redis, a } = await startTwo()
    const client = await redis.connect()
    const ann = await a.enter('ann')
    await Seen.join(ann, 'a', 1, { status: 'here' })
    const rooms = (): Promise<string[]> => client.smembers(`ackord:{presence.${a.gateway.node}}:rooms`)
    await until(async () => (await rooms()).length === 1)
    ann.close()
    await until(async () => (await rooms()).length === 0)
    const [key = ''] = await client.keys('*:presence')
    expect(Object.keys(await client.hgetall(key)).sort()).toEqual(['bytes', 'epoch', 'members', 'version'])
    expect(await client.hmget(key, 'bytes', 'members')).toEqual(['0', '0'])
    expect(await client.pttl(key)).toBeGreaterThan(0)
  })

  it('stays as it was while Redis is away, and is as it should be afterwards', async () => {
    const { redis, a, b } = await startTwo()
    const ann = await Seen.join(await a.enter('ann'), 'a', 1, { status: 'here' })
    const bobs = await b.enter('bob')
    const bob = await Seen.join(bobs, 'a', 1, { status: 'at b' })
    await ann.becomes({ ann: [{ status: 'here' }, 1], bob: [{ status: 'at b' }, 1] })
    await bob.becomes({ ann: [{ status: 'here' }, 1], bob: [{ status: 'at b' }, 1] })
    // What was kept is lost, too.
    await redis.kill()
    await until(() => !isUp(a) && !isUp(b))
    bobs.send([8, 1, { status: 'set meanwhile' }])
    await bobs.ping()
    expect((await a.live.room.desk({ id: 'a' }).presence()).map(({ user }) => user)).toEqual(['ann', 'bob'])
    await redis.start()
    await ann.becomes({ ann: [{ status: 'here' }, 1], bob: [{ status: 'set meanwhile' }, 1] })
    await bob.becomes({ ann: [{ status: 'here' }, 1], bob: [{ status: 'set meanwhile' }, 1] })
    const cid = await Seen.join(await b.enter('cid'))
    expect(cid.all).toEqual({
      ann: [{ status: 'here' }, 1],
      bob: [{ status: 'set meanwhile' }, 1],
      cid: [null, 1],
    })
  })

  it('tells what was missed while a subscription was cut', async () => {
    const { redis, a, b } = await startTwo()
    const client = await redis.connect()
    const ann = await Seen.join(await a.enter('ann'))
    const bob = await Seen.join(await b.enter('bob'))
    await ann.becomes({ ann: [null, 1], bob: [null, 1] })
    await client.call('CLIENT', 'KILL', 'TYPE', 'pubsub')
    const cid = await Seen.join(await b.enter('cid'), 'a', 1, { status: 'new' })
    const all = { ann: [null, 1], bob: [null, 1], cid: [{ status: 'new' }, 1] } as const
    await Promise.all([ann.becomes(all), bob.becomes(all), cid.becomes(all)])
  })

  it('writes everything again when all that was kept is gone', async () => {
    const { redis, a, b } = await startTwo()
    const client = await redis.connect()
    const ann = await Seen.join(await a.enter('ann'), 'a', 1, { status: 'here' })
    const bob = await Seen.join(await b.enter('bob'), 'a', 1, { status: 'there' })
    await ann.becomes({ ann: [{ status: 'here' }, 1], bob: [{ status: 'there' }, 1] })
    await client.flushall()
    await Seen.join(await b.enter('cid'))
    const all = { ann: [{ status: 'here' }, 1], bob: [{ status: 'there' }, 1], cid: [null, 1] } as const
    await Promise.all([ann.becomes(all), bob.becomes(all)])
    await until(async () => {
      const [key = ''] = await client.keys('*:presence')
      return (await client.hget(key, 'members')) === '3'
    })
  })
})
