/** What of Redis stands without an app, for `ackord/publisher`: no module that is reached from here loads Fastify or ws. */
export type { RedisClient, RedisConnection, RedisValue } from './client.js'
export { meaningOf, RedisUnavailable } from './errors.js'
export { type Health, type HubLog, type HubOptions, RedisHub } from './hub.js'
export { Script, script } from './script.js'
