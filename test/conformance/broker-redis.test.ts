import { describeWithRedis, startRedis } from '../support/redis.js'
import { brokerConformance } from './broker.js'
import { redisSetup } from './redis-setup.js'

describeWithRedis('on one Redis server', () => {
  brokerConformance(
    'redis',
    async () => {
      const server = await startRedis()
      return redisSetup(await server.connect())
    },
    { raisesOffset: true, heals: true },
  )
})
