/** socket.io with its adapter over a Redis stream, which its own recovery needs. */
import { withAdapter } from './socket.io.mjs'

export default withAdapter('redis-streams-adapter', '@socket.io/redis-streams-adapter', async (redis) => {
  const { createAdapter } = await import('@socket.io/redis-streams-adapter')
  return createAdapter(redis)
})
