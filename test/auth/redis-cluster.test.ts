import { afterEach, expect, it, onTestFinished } from 'vitest'
import { clusterOf } from '../../plugins/cluster/index.js'
import { abortAll } from '../support/raw-client.js'
import { describeWithRedis } from '../support/redis.js'
import { startCluster } from '../support/redis-cluster.js'
import { startServer } from '../support/server.js'
import { until } from '../support/until.js'
import { outcome } from './support.js'

afterEach(abortAll)

describeWithRedis('nodes on a Redis Cluster', () => {
  it('share sessions, revocations and tickets', async () => {
    const cluster = await startCluster()
    onTestFinished(() => cluster.remove())
    const start = () => startServer({ redis: cluster.client(), maxConnectionsPerUser: 2 })
    const [a, b] = [await start(), await start()]
    await until(() => [a, b].every(({ gateway }) => clusterOf(gateway).nodes().length === 2))
    const older = await a.enter('ann', 's1')
    await b.enter('ann', 's1')
    expect((await older.closed()).code).toBe(4505)
    const other = await a.enter('ann', 's2')
    expect(await outcome(a, { inHello: 'ann' })).toBe(1013)
    const response = await fetch(`${a.url.replace('ws', 'http')}/ticket`, {
      method: 'POST',
      headers: { authorization: 'Bearer eve' },
    })
    const { ticket } = (await response.json()) as { readonly ticket: string }
    expect([await outcome(b, { inHello: ticket }), await outcome(a, { inHello: ticket })]).toEqual([17, 4506])
    expect(await b.live.revoke({ user: 'ann' })).toBe(2)
    expect((await other.closed()).code).toBe(4508)
    expect(await b.live.revoke({ user: 'eve' })).toBe(1)
  })
})
