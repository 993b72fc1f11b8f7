import { afterAll, beforeAll, onTestFinished } from 'vitest'
import { brokerConformance } from '../../../conformance/broker.js'
import { redisSetup } from '../../../conformance/redis-setup.js'
import { startCluster, type TestCluster } from '../../../support/redis-cluster.js'

let cluster: TestCluster
beforeAll(async () => {
  cluster = await startCluster()
})
afterAll(() => cluster.remove())

brokerConformance(
  'redis Cluster of three masters',
  () => {
    const client = cluster.client()
    onTestFinished(() => client.disconnect())
    return redisSetup(client)
  },
  { raisesOffset: true, heals: true },
)
