import { expect, it } from 'vitest'
import { describeWithRedis } from '../../support/redis.js'
import { single } from './rigs.js'
import { scenario } from './run.js'

describeWithRedis('three nodes on one Redis', () => {
  it('keep what they promise while a node is killed and their subscriptions are cut', async () => {
    const { run } = scenario(
      'short',
      single,
      // To count its connections right, the others would have to wait for the end of the killed node's lease.
      { counts: false, ghosts: false, seen: ({ reconnects, degraded }) => reconnects > 0 && degraded > 0 },
      async ({ server, note }, { server: redis }) => {
        note('kill -9 of a node')
        await server(0).kill()
        server(0).leadTo(server(1))
        note('CLIENT KILL TYPE pubsub')
        await redis.command('client', 'kill', 'type', 'pubsub')
      },
    )
    const outcome = await run({ seed: 1, clients: 6, rate: 10, seconds: 1 }, () => {})
    expect(outcome).toMatchObject({ ok: true, first: [], figures: { gaps: {}, lost: 0 } })
  }, 120_000)
})
