import { afterAll, beforeAll, onTestFinished } from 'vitest'
import { brokerConformance } from '../../../conformance/broker.js'
import { redisSetup } from '../../../conformance/redis-setup.js'
import { startSentinel, type TestSentinel } from '../../../support/redis-sentinel.js'

let group: TestSentinel
beforeAll(async () => {
  group = await startSentinel()
})
afterAll(() => group.remove())

brokerConformance(
  'redis under Sentinel',
  () => {
    const client = group.client()
    onTestFinished(() => client.disconnect())
    return redisSetup(client)
  },
  { raisesOffset: true, heals: true },
)
