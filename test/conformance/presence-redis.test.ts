import { RedisPresence } from '../../plugins/presence/store-redis.js'
import { describeWithRedis, openHub, startRedis } from '../support/redis.js'
import { presenceConformance } from './presence.js'

describeWithRedis('on Redis', () => {
  presenceConformance('one Redis', async () => {
    const redis = await startRedis()
    const open = async () => new RedisPresence(await openHub(await redis.connect()), Math.random)
    return { store: await open(), other: await open() }
  })
})
