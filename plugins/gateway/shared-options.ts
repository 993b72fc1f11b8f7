/** Options that a server and `ackord/publisher` both take. README.md § Options. */
import { AckordError } from '../errors.js'

/**
 * `memory`: the primary has it; it is lost if that dies before it replicates. `replicated`: so many replicas have confirmed it, 1 to 100; short
 * of that it is `UNAVAILABLE`. Without `redis` it says nothing.
 */
export type Durability = 'memory' | { readonly replicated: number }

/** What a number is where nothing is said, and its bounds. */
export type Limit = readonly [fallback: number, least: number, most: number]

/** Bytes that a connection may hold back: what is larger fits no client. */
export const MAX_BUFFERED: Limit = [1_048_576, 131_072, 67_108_864]

/** An integer option within its bounds. Throws ACKORD_INVALID_OPTION. */
export function bounded(name: string, value: number | undefined, row: Limit): number {
  const [fallback, least, most] = row
  if (value === undefined) return fallback
  if (Number.isSafeInteger(value) && value >= least && value <= most) return value
  throw new AckordError(
    'ACKORD_INVALID_OPTION',
    `${name}: an integer from ${least} to ${most}, not ${String(value)}`,
  )
}

/** A durability that may be anything. Throws ACKORD_INVALID_OPTION. */
export function checkDurability(durability: Durability): Durability {
  if (durability === 'memory') return durability
  const { replicated } = Object(durability) as { replicated?: unknown }
  if (Number.isSafeInteger(replicated) && Number(replicated) >= 1 && Number(replicated) <= 100)
    return durability
  throw new AckordError(
    'ACKORD_INVALID_OPTION',
    `durability: 'memory', or { replicated: an integer from 1 to 100 }`,
  )
}

/** A client and a prefix that may be anything. Throws ACKORD_INVALID_OPTION. */
export function checkRedis(
  redis: { readonly duplicate: unknown } | undefined,
  prefix: string | undefined,
): void {
  if (redis !== undefined && typeof redis?.duplicate !== 'function') {
    throw new AckordError('ACKORD_INVALID_OPTION', 'redis: a client of ioredis or iovalkey')
  }
  if (prefix !== undefined && (typeof prefix !== 'string' || !/^[\w.-]{1,64}$/.test(prefix))) {
    throw new AckordError('ACKORD_INVALID_OPTION', 'redisPrefix: 1 to 64 of A–Z a–z 0–9 _ . -')
  }
}
