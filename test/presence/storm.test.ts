import { expect, it } from 'vitest'
import { hasRedis, startRedis } from '../support/redis.js'
import { type NodeOptions, Seen, startNode } from './support.js'

const MEMBERS = 500
const OPTIONS: Record<string, () => Promise<NodeOptions>> = {
  memory: async () => ({}),
  ...(hasRedis && { Redis: async () => ({ redis: await (await startRedis()).connect() }) }),
}

it.each(Object.entries(OPTIONS))(
  `tells of ${MEMBERS} who join at once in a few frames, and of their states likewise, in %s`,
  { timeout: 60_000 },
  async (_name, optionsOf) => {
    const { enter } = await startNode({ ...(await optionsOf()), maxConnectionsPerUser: 10 })
    const watcher = await Seen.join(await enter('watcher'))
    const clients = await Promise.all(Array.from({ length: MEMBERS }, (_, i) => enter(`user ${i}`)))
    const start = performance.now()
    const seen = await Promise.all(clients.map((client) => Seen.join(client, 'a', 1, { status: 'here' })))
    const everybody = Object.fromEntries(
      clients.map((_, i) => [`user ${i}`, [{ status: 'here' }, 1] as const]),
    )
    const all = { ...everybody, watcher: [null, 1] as const }
    await Promise.all([watcher, ...seen].map((each) => each.becomes(all)))
    const steps = (performance.now() - start) / 100
    const frames = [watcher, ...seen].map((each) => each.frames)
    // One per 100 ms and one at once, for what came and for what was written.
    expect(Math.max(...frames)).toBeLessThanOrEqual(2 + steps)
    // Each change reaches each member once or twice: joined, and with its state.
    const size = JSON.stringify(['user 100', { status: 'here' }, 1]).length
    expect(watcher.bytes).toBeLessThan(2.5 * MEMBERS * (size + 1))
  },
)
