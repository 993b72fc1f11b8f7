/** Redis, where the app is given a client: what the nodes share. docs/decisions/redis-connections.md. */
import type { FastifyPluginAsync } from 'fastify'
import fp from 'fastify-plugin'
import type { Gateway } from '../gateway/index.js'
import { RedisHub } from './hub.js'

const hubs = new WeakMap<Gateway, RedisHub>()

/** The hub of an app; undefined where the app has no Redis. */
export const redisOf = (gateway: Gateway): RedisHub | undefined => hubs.get(gateway)

/**
 * Registers Redis; needs the gateway, and stands before whatever uses it. Starts without Redis too: the node is degraded until it is
 * there, and clients are told. PROTOCOL.md § Frames, STATE.
 */
export const redisPlugin: FastifyPluginAsync = fp(
  async (app) => {
    const { gateway } = app.ackordGateway
    const { redis, redisPrefix: prefix = 'ackord', random = Math.random } = gateway.options
    if (redis === undefined) return
    const hub = new RedisHub(redis, { prefix, clock: gateway.clock, log: app.log, random })
    hubs.set(gateway, hub)
    hub.onHealth((state) => gateway.degraded.set(state === 'down'))
    // Plugins close in the reverse order of their registration: what the others say at the end still goes out.
    app.addHook('onClose', () => hub.close())
    app.addHook('onReady', async () => {
      await hub.start()
      gateway.degraded.set(!hub.isUp)
    })
  },
  { name: '@ackord/redis', fastify: '5.x', dependencies: ['@ackord/gateway'] },
)

export type { RedisClient, RedisConnection, RedisValue } from './client.js'
export { meaningOf, RedisUnavailable } from './errors.js'
export { type Health, type HubOptions, RedisHub } from './hub.js'
export { RedisLink } from './link.js'
export { Script, script } from './script.js'
