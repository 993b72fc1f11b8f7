/** `ackord`: real time on Fastify from one contract. */
import fp from 'fastify-plugin'
import { authPlugin } from './auth/index.js'
import { callsPlugin } from './calls/index.js'
import { clusterPlugin } from './cluster/index.js'
import { type AckordOptions, gatewayPlugin } from './gateway/index.js'
import { inboxPlugin } from './inbox/index.js'
import { metricsPlugin } from './metrics/index.js'
import { namespacePlugin } from './namespace/index.js'
import { presencePlugin } from './presence/index.js'
import { rateLimitPlugin } from './rate-limit/index.js'
import { redisPlugin } from './redis/index.js'
import { roomsPlugin } from './rooms/index.js'

/**
 * Registers ackord in an app, before any namespace: `await app.register(ackord, { … })`. Each part is a plugin of its own
 * (`gatewayPlugin` and so on) and may be registered by itself.
 */
export const ackord = fp<AckordOptions>(
  async (app, options) => {
    await app.register(gatewayPlugin, options)
    await app.register(redisPlugin)
    await app.register(clusterPlugin)
    await app.register(authPlugin)
    await app.register(rateLimitPlugin)
    await app.register(callsPlugin)
    await app.register(roomsPlugin)
    await app.register(inboxPlugin)
    await app.register(presencePlugin)
    await app.register(namespacePlugin)
    await app.register(metricsPlugin)
  },
  { name: 'ackord', fastify: '5.x' },
)

export default ackord

export type { Clock } from '../contract/clock.js'
export {
  type Authenticate,
  authPlugin,
  type Credentials,
  type JwtOptions,
  type Reauthorize,
  type RevokeOptions,
  type RevokeTarget,
} from './auth/index.js'
export { type Answer, type AskOptions, CallError, callsPlugin, refuseCall } from './calls/index.js'
export { ClusterError, type ClusterErrorCode, clusterPlugin } from './cluster/index.js'
export { ACKORD_ERROR_CODES, AckordError, type AckordErrorCode } from './errors.js'
export {
  type AckordOptions,
  type CallInfo,
  type Connection,
  type DisconnectInfo,
  type Durability,
  type EnterInfo,
  type Entering,
  gatewayPlugin,
  type HookName,
  type Hooks,
  type Identity,
  type JoinInfo,
  type Mount,
  type PublishInfo,
  Refusal,
  type Settings,
  type UpgradeInfo,
} from './gateway/index.js'
export { inboxPlugin } from './inbox/index.js'
export {
  type CallStats,
  LATENCY_BUCKETS_MS,
  metricsPlugin,
  type NamespaceStats,
  type Stats,
} from './metrics/index.js'
export * from './namespace/index.js'
export { type PresentMember, presencePlugin } from './presence/index.js'
export { type Limit, type LimitPer, type Limits, rateLimitPlugin } from './rate-limit/index.js'
export { type RedisClient, redisPlugin } from './redis/index.js'
export { BrokerError, type BrokerErrorCode, type Position, roomsPlugin } from './rooms/index.js'
