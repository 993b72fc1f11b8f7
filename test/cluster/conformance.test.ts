import { onTestFinished } from 'vitest'
import { serverClock } from '../../contract/server-clock.js'
import { RedisCluster } from '../../plugins/cluster/cluster-redis.js'
import { clusterConformance } from '../conformance/cluster.js'
import { describeWithRedis, startRedis } from '../support/redis.js'
import { FakeHub, FakeRedis, hostOf, memoryNode } from './support/hub.js'
import { redisCluster } from './support/nodes.js'

clusterConformance('memory', async () => memoryNode('a', serverClock))

clusterConformance('redis, its hub in memory', async () => {
  const { host, ...rest } = hostOf('a', serverClock)
  const cluster = new RedisCluster(host, new FakeHub(new FakeRedis()))
  onTestFinished(() => cluster.close())
  await cluster.start()
  return { cluster, ...rest }
})

describeWithRedis('with a server', () => {
  clusterConformance('redis', async () => {
    const { host, ...rest } = hostOf('a', serverClock)
    return { cluster: await redisCluster((await startRedis()).port, host), ...rest }
  })
})
