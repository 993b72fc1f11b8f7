/** What ackord needs of a Redis client, and what it does while Redis is away. docs/decisions/rate-limits.md. */

export { RedisLink } from './link.js'
export { type RedisClient, type RedisValue, Script } from './script.js'
