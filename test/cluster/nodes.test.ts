import { expect, it } from 'vitest'
import type { RawClient } from '../support/raw-client.js'
import { describeWithRedis, startRedis } from '../support/redis.js'
import { until } from '../support/until.js'
import { type ServerNode, startNode, startNodes } from './support/nodes.js'

/** Enters the room `a`. */
async function member(node: ServerNode, user: string): Promise<RawClient> {
  const client = await node.enter(user)
  client.send([6, 1, 'channel', { id: 'a' }])
  await client.next(22)
  return client
}

/** Answers the next question. */
async function answer(client: RawClient, accepted: boolean): Promise<void> {
  const [, , , ask] = await client.next(21)
  client.send([5, ask as number, { accepted }])
}

function both([a, b]: readonly ServerNode[]): readonly [ServerNode, ServerNode] {
  if (a === undefined || b === undefined) throw new Error('two were started')
  return [a, b]
}

const startTwo = async () => both((await startNodes(2)).nodes)

describeWithRedis('nodes on one Redis', () => {
  it('know each other, and count the connections of all', async () => {
    const { nodes, redis } = await startNodes(2)
    const [a, b] = both(nodes)
    await Promise.all([a.enter('ann'), b.enter('ben'), b.enter('bob')])
    // Each hears of the others' within its own time.
    for (const { live } of [a, b]) await until(async () => (await live.count()).connections === 3)
    expect(await b.live.count()).toEqual({ connections: 3, nodes: 2 })
    const events: string[] = []
    a.cluster.onNode((event, node) => void events.push(`${event} ${node}`))
    const c = await startNode(redis.port)
    // At once, by its hello: not with the next look.
    await until(() => events.length > 0)
    expect([events, c.cluster.nodes().length]).toEqual([[`joined ${c.id}`], 3])
    expect([a.cluster.isAlive(c.id, 1), a.cluster.isAlive('nobody')]).toEqual([true, false])
    await c.app.close()
    await until(() => events.length > 1)
    expect(events[1]).toBe(`left ${c.id}`)
    expect(
      a.cluster
        .nodes()
        .map(({ id }) => id)
        .sort(),
    ).toEqual([a.id, b.id].sort())
  })

  it('name the members of a room, and end what a user has on any of them', async () => {
    const [a, b] = await startTwo()
    const [ann, ben, bob] = [await member(a, 'ann'), await member(b, 'ben'), await member(b, 'bob')]
    const room = a.live.room.channel({ id: 'a' })
    const members = await room.members()
    expect(members.map(({ user, node }) => [user, node]).sort()).toEqual(
      [
        ['ann', a.id],
        ['ben', b.id],
        ['bob', b.id],
      ].sort(),
    )
    expect(room.connections().map(({ user }) => user.id)).toEqual(['ann'])
    expect(await room.evict('ben')).toBe(1)
    expect(await ben.next(27)).toEqual([27, room.key, 'evicted'])
    const there = members.find(({ user }) => user === 'bob')
    if (there === undefined) throw new Error('bob was there')
    expect([await room.evict(there, 'revoked'), await room.evict(there)]).toEqual([1, 0])
    expect(await bob.next(27)).toEqual([27, room.key, 'revoked'])
    const [own] = room.connections()
    if (own === undefined) throw new Error('ann was there')
    expect(await room.evict(own)).toBe(1)
    expect(await ann.next(27)).toEqual([27, room.key, 'evicted'])
    expect(await room.members()).toEqual([])
  })

  it('ask connections wherever they are, and tell who answered', async () => {
    const { nodes } = await startNodes(3)
    const [a, b, c] = nodes
    if (a === undefined || b === undefined || c === undefined) throw new Error('three were started')
    const [ann, ben, other] = [await member(a, 'ann'), await member(b, 'ben'), await b.enter('other')]
    const answers: unknown[] = []
    const done = (async () => {
      for await (const { node, member: who, answer: value } of c.live.room
        .channel({ id: 'a' })
        .askAll('offer', { id: '1' })) {
        answers.push([who?.user, node === who?.node, value])
      }
    })()
    await Promise.all([answer(ann, true), answer(ben, false)])
    await done
    expect(answers.sort()).toEqual([
      ['ann', true, { status: 'answered', value: { accepted: true } }],
      ['ben', true, { status: 'answered', value: { accepted: false } }],
    ])
    const [found] = await Promise.all([c.live.user('other').ask('offer', { id: '2' }), answer(other, true)])
    expect(found).toEqual({ status: 'answered', value: { accepted: true } })
    expect(await c.live.user('nobody').ask('offer', { id: '3' })).toEqual({ status: 'gone' })
    const refused = c.live.user('other').ask('offer', { id: '4' })
    const [, , , ask] = await other.next(21)
    other.send([5, ask as number, null, 'NO_HANDLER'])
    expect(await refused).toEqual({ status: 'failed', code: 'NO_HANDLER' })
  })

  it('ask no longer where the loop was left, and answer for their connections at the timeout', async () => {
    const [a, b] = await startTwo()
    const [ann, ben] = [await a.enter('ann'), await b.enter('ben')]
    const waiting = () => [...b.gateway.sockets].map(({ slots }) => slots.asks?.waiting.size)
    const done = (async () => {
      for await (const { member: who } of a.live.all.askAll('offer', { id: '1' }, { timeout: 60_000 }))
        return who?.user
    })()
    await ben.next(21)
    expect(waiting()).toEqual([1])
    await answer(ann, true)
    expect(await done).toBe('ann')
    await until(() => waiting()[0] === 0)
    const late: unknown[] = []
    for await (const { member: who, answer } of a.live.all.askAll('offer', { id: '2' }, { timeout: 1 }))
      late.push([who?.user, answer.status])
    expect(late.sort()).toEqual([
      ['ann', 'timeout'],
      ['ben', 'timeout'],
    ])
    expect(() => a.live.user('ben').askAll('offer', JSON.parse('{"id":1}'))).toThrow(
      expect.objectContaining({ code: 'ACKORD_INVALID_PAYLOAD' }),
    )
  })

  it('keep apart two apps by prefix, and namespaces by path', async () => {
    const redis = await startRedis()
    const [a, b] = [await startNode(redis.port), await startNode(redis.port, { redisPrefix: 'other' })]
    await Promise.all([member(a, 'ann'), member(b, 'ben')])
    const beats = await redis.connect()
    await until(async () => (await beats.hlen('other:{nodes}')) === 1)
    expect([a.cluster.nodes().length, b.cluster.nodes().length]).toEqual([1, 1])
    expect(await a.live.room.channel({ id: 'a' }).members()).toHaveLength(1)
    expect(await a.live.user('ben').ask('offer', { id: '1' })).toEqual({ status: 'gone' })
  })

  it('while Redis is away answer for themselves, say UNAVAILABLE of the others, and find them again', async () => {
    const { nodes, redis } = await startNodes(2)
    const [a, b] = both(nodes)
    const [ann, ben] = [await member(a, 'ann'), await member(b, 'ben')]
    const room = a.live.room.channel({ id: 'a' })
    const meanwhile = b.live.user('ann').ask('offer', { id: '0' }, { timeout: 60_000 })
    await ann.next(21)
    const events: string[] = []
    a.cluster.onNode((event, node) => void events.push(`${event} ${node}`))
    await redis.kill()
    // It was under way: whether it would have been answered, nobody can say.
    expect(await meanwhile).toEqual({ status: 'failed', code: 'UNAVAILABLE' })
    const answers: unknown[] = []
    const done = (async () => {
      for await (const { node, member: who, answer } of room.askAll('offer', { id: '1' }))
        answers.push([node, who?.user, answer])
    })()
    await answer(ann, true)
    await done
    expect(answers).toHaveLength(2)
    expect(answers).toContainEqual([a.id, 'ann', { status: 'answered', value: { accepted: true } }])
    expect(answers).toContainEqual([b.id, undefined, { status: 'failed', code: 'UNAVAILABLE' }])
    const unavailable = { name: 'ClusterError', code: 'UNAVAILABLE', retry: true }
    const says = (text: string) => ({ ...unavailable, message: expect.stringMatching(text) })
    await expect(room.members()).rejects.toMatchObject(says('not every node has answered: Redis is away'))
    await expect(room.evict('ben')).rejects.toMatchObject(says('evicted on this node, .*: Redis is away'))
    expect((await a.live.count()).nodes).toBe(2)
    expect(a.cluster.isAlive(b.id)).toBe(true)
    await redis.start()
    await until(async () => {
      try {
        return (await room.members()).length === 2
      } catch {
        return false
      }
    })
    expect(await room.evict('ben')).toBe(1)
    expect(await ben.next(27)).toEqual([27, room.key, 'evicted'])
    expect(events).toEqual([])
  })

  it('start without Redis, and find each other when it is there', async () => {
    const redis = await startRedis()
    await redis.kill()
    const [a, b] = [await startNode(redis.port), await startNode(redis.port)]
    const ben = await b.enter('ben')
    expect(await a.live.count()).toEqual({ connections: 0, nodes: 1 })
    await redis.start()
    await until(() => a.cluster.nodes().length === 2 && b.cluster.nodes().length === 2)
    const [found] = await Promise.all([a.live.user('ben').ask('offer', { id: '1' }), answer(ben, true)])
    expect(found).toEqual({ status: 'answered', value: { accepted: true } })
  })

  it('lose nobody by a FLUSHALL', async () => {
    const { nodes, redis } = await startNodes(2)
    const [a] = both(nodes)
    const events: string[] = []
    a.cluster.onNode((event, node) => void events.push(`${event} ${node}`))
    const client = await redis.connect()
    await client.flushall()
    await until(async () => (await client.hlen('ackord:{nodes}')) === 2)
    expect([a.cluster.nodes().length, events]).toEqual([2, []])
  })
})
