import { afterAll, beforeAll, describe, onTestFinished } from 'vitest'
import { RedisPresence } from '../../../../plugins/presence/store-redis.js'
import { presenceConformance } from '../../../conformance/presence.js'
import { openHub } from '../../../support/redis.js'
import { startCluster, type TestCluster } from '../../../support/redis-cluster.js'
import { startSentinel, type TestSentinel } from '../../../support/redis-sentinel.js'

describe('presence', () => {
  let cluster: TestCluster
  let group: TestSentinel
  beforeAll(async () => {
    cluster = await startCluster()
    group = await startSentinel()
  })
  afterAll(async () => {
    await cluster.remove()
    await group.remove()
  })

  for (const [name, client] of [
    ['redis Cluster of three masters', () => cluster.client()],
    ['redis under Sentinel', () => group.client()],
  ] as const) {
    const open = async (): Promise<RedisPresence> => {
      const made = client()
      onTestFinished(() => made.disconnect())
      return new RedisPresence(await openHub(made), Math.random)
    }
    presenceConformance(name, async () => ({ store: await open(), other: await open() }))
  }
})
