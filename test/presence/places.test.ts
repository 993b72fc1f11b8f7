import { describe, expect, it } from 'vitest'
import type { ClusterNode, NodeEvent } from '../../plugins/cluster/index.js'
import { Places, type PresenceCluster } from '../../plugins/presence/places.js'
import type { Bounds, PresenceStore, Write } from '../../plugins/presence/store.js'
import { MemoryPresence } from '../../plugins/presence/store-memory.js'
import { RedisPresence } from '../../plugins/presence/store-redis.js'
import { redisOf } from '../../plugins/redis/index.js'
import { told } from '../conformance/presence.js'
import { describeWithRedis, openHub, startRedis } from '../support/redis.js'
import { until } from '../support/until.js'
import { Seen, startNode } from './support.js'

const BOUNDS: Bounds = { members: 100, bytes: 10_000 }
const ROOM = '/live room'

/** A cluster whose events a test makes. */
class FakeCluster implements PresenceCluster {
  readonly node = 'me'
  generation = 1
  readonly alive = new Map<string, number>()
  #onNode: ((event: NodeEvent, node: string) => void | Promise<void>) | undefined
  #onGeneration: ((generation: number) => void) | undefined

  nodes(): readonly ClusterNode[] {
    return [...this.alive.keys()].map((id) => ({ id, counts: {} }))
  }

  isAlive(node: string, generation = 0): boolean {
    return generation >= (this.alive.get(node) ?? Number.POSITIVE_INFINITY)
  }

  onNode(listener: (event: NodeEvent, node: string) => void | Promise<void>): () => void {
    this.#onNode = listener
    return () => undefined
  }

  onGeneration(listener: (generation: number) => void): () => void {
    this.#onGeneration = listener
    return () => undefined
  }

  tell(event: NodeEvent, node: string): void | Promise<void> {
    return this.#onNode?.(event, node)
  }

  rise(): void {
    this.generation++
    this.#onGeneration?.(this.generation)
  }
}

function setup(store: PresenceStore = new MemoryPresence()) {
  const cluster = new FakeCluster()
  let changes = 0
  const errors: unknown[] = []
  const places = new Places(
    cluster,
    store,
    () => changes++,
    (error) => errors.push(error),
  )
  return {
    cluster,
    places,
    errors,
    changes: () => changes,
    write: (node: string, generation: number, user: string) => {
      const writes: readonly Write[] = [{ user, connections: 1 }]
      return store.change(ROOM, { node, generation }, writes, BOUNDS)
    },
    reads: async () => told(await store.read(ROOM)),
  }
}

describe('what a node left in presence', () => {
  it.each(['lost', 'left'] as const)('is cleared when it is %s, and not before', async (event) => {
    const { cluster, write, reads } = setup()
    await write('you', 1, 'ann')
    await write('me', 1, 'bob')
    await cluster.tell('joined', 'you')
    expect(await reads()).toMatchObject([{ user: 'ann' }, { user: 'bob' }])
    await cluster.tell(event, 'you')
    expect(await reads()).toMatchObject([{ user: 'bob' }])
  })

  it('is cleared up to the generation under which it is back', async () => {
    const { cluster, write, reads } = setup()
    await write('you', 1, 'ann')
    await write('you', 2, 'bob')
    cluster.alive.set('you', 2)
    await cluster.tell('lost', 'you')
    expect(await reads()).toMatchObject([{ user: 'bob', places: { 'you.2': 1 } }])
  })

  it('is told of again where it could not be cleared', async () => {
    const failing = new MemoryPresence()
    failing.sweep = () => Promise.reject(new Error('away'))
    const { cluster } = setup(failing)
    await expect(Promise.resolve(cluster.tell('lost', 'you'))).rejects.toThrow('away')
  })

  it('under an earlier generation of this node is cleared, and everything is written again', async () => {
    const { cluster, places, write, reads, changes } = setup()
    await write('me', 1, 'ann')
    cluster.rise()
    expect(changes()).toBe(1)
    expect(places.own).toEqual({ node: 'me', generation: 2 })
    await until(async () => JSON.stringify(await reads()) === '[]')
  })

  it('is given up by others first: this node goes on under what they allow', async () => {
    const { cluster, places, changes } = setup()
    places.raise(3)
    places.raise(3)
    places.raise(2)
    expect(changes()).toBe(1)
    expect(places.own.generation).toBe(3)
    cluster.rise()
    expect(places.own.generation).toBe(3)
  })

  it('under an earlier generation is cleared the next time where it fails', async () => {
    const failing = new MemoryPresence()
    failing.sweep = () => Promise.reject(new Error('away'))
    const { places, errors } = setup(failing)
    await places.clearOwn()
    expect(errors).toHaveLength(1)
  })
})

describeWithRedis('a node that lives and was given up by others', () => {
  it('is back under the next generation, with its members and their states', async () => {
    const redis = await startRedis()
    const [a, b] = [
      await startNode({ redis: await redis.connect() }),
      await startNode({ redis: await redis.connect() }),
    ]
    const ann = await Seen.join(await a.enter('ann'), 'a', 1, { status: 'here' })
    await Seen.join(await a.enter('eve'), 'b')
    const bob = await Seen.join(await b.enter('bob'))
    const all = { ann: [{ status: 'here' }, 1], bob: [null, 1] } as const
    await Promise.all([ann.becomes(all), bob.becomes(all)])
    const hub = redisOf(b.gateway)
    if (hub === undefined) throw new Error('no hub')
    await new RedisPresence(hub, Math.random).sweep(a.gateway.node, () => true)
    const placesOf = async (id: string): Promise<string[]> => {
      const { entries } = await new RedisPresence(hub, Math.random).read(
        `/live ${a.live.room.desk({ id }).key}`,
      )
      return entries.flatMap(({ places }) => [...places.keys()]).sort()
    }
    await until(
      async () =>
        (await placesOf('a')).join() === [`${a.gateway.node}.2`, `${b.gateway.node}.1`].sort().join(),
    )
    await until(async () => (await placesOf('b')).join() === `${a.gateway.node}.2`)
    await until(async () => (await b.live.room.desk({ id: 'a' }).presence()).length === 2)
    expect(await b.live.room.desk({ id: 'a' }).presence()).toContainEqual({
      user: 'ann',
      state: { status: 'here' },
      connections: 1,
    })
  })
})

describeWithRedis('a room that was on its way into the index when its node took another place', () => {
  it('goes into the index under that one, too: its node may die there', async () => {
    const redis = await startRedis()
    const client = await redis.connect()
    const store = new RedisPresence(await openHub(client), Math.random)
    const write = (room: string, generation: number, user: string) =>
      store.change(room, { node: 'me', generation }, [{ user, connections: 1 }], BOUNDS)
    await Promise.all([write('/live one', 1, 'ann'), write('/live two', 2, 'bob')])
    await write('/live one', 2, 'ann')
    await store.sweep('me', () => true)
    expect([told(await store.read('/live one')), told(await store.read('/live two'))]).toEqual([[], []])
  })
})

describeWithRedis('a room that is not in the index of its node any more', () => {
  const lost = async () => {
    const redis = await startRedis()
    const client = await redis.connect()
    const store = new RedisPresence(await openHub(client), Math.random)
    const write = (user: string) =>
      store.change(ROOM, { node: 'me', generation: 1 }, [{ user, connections: 1 }], BOUNDS)
    await write('ann')
    return { client, store, write }
  }

  it('is put there again by the next look at the room, as by Redis on another master or after a day', async () => {
    const { client, store } = await lost()
    await client.del('ackord:{presence.me}:rooms')
    const { epoch, version } = await store.read(ROOM)
    expect(await store.isCurrent(ROOM, epoch, version)).toBe(true)
    expect(await client.pttl('ackord:{presence.me}:rooms')).toBeGreaterThan(80_000_000)
    await store.sweep('me', () => true)
    expect(told(await store.read(ROOM))).toEqual([])
  })

  it('is put there again with what was read to be missing', async () => {
    const { client, store, write } = await lost()
    await client.flushall()
    expect(told(await store.read(ROOM))).toEqual([])
    await write('ann')
    await store.sweep('me', () => true)
    expect(told(await store.read(ROOM))).toEqual([])
  })
})
