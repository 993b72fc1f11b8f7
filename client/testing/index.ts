/**
 * A Fastify app and its clients joined in memory, for tests: no port, and the clock and the network in the test's hand.
 *
 * @example
 * const clock = createClock()
 * const app = Fastify()
 * await app.register(ackord, { clock })
 * await app.register(live.plugin(handlers))
 * const network = await createNetwork(app)
 * const chat = createChat('ws://test/chat', { clock, WebSocket: network.WebSocket, token: () => 'alice' })
 *
 * const sent = chat.calls.message.send({ channelId: 'a', text: 'hi' })
 * await network.settle()
 * network.stall()                      // half-open: nothing flows, nothing closes
 * await clock.advanceAsync(60_000)     // the heartbeat finds out
 */
export { createClock, type TestClock } from './clock.js'
export {
  createNetwork,
  type Network,
  type NetworkApp,
  type NetworkConnection,
  type NetworkOptions,
} from './network.js'
