/** socket.io with its adapter over Redis' publish and subscribe. */
import { withAdapter } from './socket.io.mjs'

export default withAdapter('redis-adapter', '@socket.io/redis-adapter', async (redis) => {
  const { createAdapter } = await import('@socket.io/redis-adapter')
  return createAdapter(redis, redis.duplicate())
})
