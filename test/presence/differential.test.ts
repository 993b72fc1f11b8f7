import { expect, it } from 'vitest'
import type { Bounds, Outcome, Place, PresenceStore, Update, Write } from '../../plugins/presence/store.js'
import { MemoryPresence } from '../../plugins/presence/store-memory.js'
import { RedisPresence } from '../../plugins/presence/store-redis.js'
import { told } from '../conformance/presence.js'
import { describeWithRedis, openHub, startRedis } from '../support/redis.js'
import { until } from '../support/until.js'

/** Operations of one seed. */
const OPERATIONS = 400

// Numerical Recipes' LCG: the same seed, the same run.
function randomOf(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}

type Operation = (store: PresenceStore) => Promise<Outcome | undefined>

const ROOMS = ['/a one', '/a two']
const BOUNDS: Bounds = { members: 4, bytes: 120 }

function operation(random: (below: number) => number, counts: Record<string, number>): Operation {
  const count = (what: string): void => {
    counts[what] = (counts[what] ?? 0) + 1
  }
  const room = ROOMS[random(2)] ?? ''
  const place: Place = { node: 'ab'[random(2)] ?? '', generation: 1 + random(3) }
  const kind = random(20)
  if (kind === 0) {
    count('sweep')
    const dead = 1 + random(2)
    return async (store) => void (await store.sweep(place.node, (generation) => generation === dead))
  }
  if (kind === 1) {
    count('leave')
    // As the interface wants it: nothing of the place is in the room any more.
    const gone = Array.from({ length: 6 }, (_, i): Write => ({ user: `u${i}`, connections: 0 }))
    return async (store) => {
      const outcome = await store.change(room, place, gone, BOUNDS)
      store.leave(room, place)
      return outcome
    }
  }
  count('change')
  const writes = Array.from({ length: 1 + random(3) }, (): Write => {
    const state = random(3) === 0 ? undefined : JSON.stringify('é'.repeat(random(12)))
    return { user: `u${random(6)}`, connections: random(3), state, restores: random(4) === 0 }
  })
  return (store) => store.change(room, place, writes, BOUNDS)
}

const told1 = ({ version, place, changes }: Update) => ({ version, place, changes })

describeWithRedis('presence in memory and in Redis', () => {
  it.each([1, 2, 3])('answer and tell the same, whatever is done (seed %i)', async (seed) => {
    const redis = await startRedis()
    const stores = {
      memory: new MemoryPresence(),
      redis: new RedisPresence(await openHub(await redis.connect()), Math.random),
    }
    const updates: Record<string, unknown[]> = {}
    for (const [name, store] of Object.entries(stores))
      for (const room of ROOMS) {
        const list: unknown[] = []
        updates[`${name} ${room}`] = list
        await store.follow(room, (update) => list.push(told1(update)))
      }
    const random = randomOf(seed)
    const counts: Record<string, number> = {}
    for (let i = 0; i < OPERATIONS; i++) {
      const run = operation(random, counts)
      const [inMemory, inRedis] = [await run(stores.memory), await run(stores.redis)]
      expect(inRedis, `operation ${i}`).toEqual(inMemory)
      if (inMemory?.full.length) counts.full = (counts.full ?? 0) + 1
      if (inMemory?.lowest !== undefined) counts.refused = (counts.refused ?? 0) + 1
      for (const room of ROOMS) {
        const [memory, server] = [await stores.memory.read(room), await stores.redis.read(room)]
        expect(told(server), `operation ${i}`).toEqual(told(memory))
        expect(server.version, `operation ${i}`).toBe(memory.version)
      }
    }
    for (const room of ROOMS) {
      const [memory, server] = [updates[`memory ${room}`] ?? [], updates[`redis ${room}`] ?? []]
      await until(() => server.length >= memory.length)
      expect(sorted(server)).toEqual(sorted(memory))
    }
    for (const what of ['change', 'sweep', 'leave', 'full', 'refused'])
      expect(counts[what], what).toBeGreaterThan(5)
  })
})

// Within a sweep the order of users is the store's own.
const sorted = (updates: readonly unknown[]): unknown[] =>
  updates.map((update) => {
    const { changes, ...rest } = update as ReturnType<typeof told1>
    return { ...rest, changes: changes.map((change) => JSON.stringify(change)).sort() }
  })
