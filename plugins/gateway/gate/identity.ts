/** What the application says of a user, looked at before it is believed. */
import type { Identity } from '../hooks.js'
import type { Mount } from '../mount.js'
import { Refusal } from './refusal.js'

/** An end of less than this many ms since 1970, a day of 1973, was meant in seconds: there it is 3,000 years ahead. */
const LEAST_END = 100_000_000_000

/**
 * Throws a Refusal for what `authenticate` returned: 401 for a token that ended, 503 for what cannot be used, which is ours to mend and not
 * the client's.
 */
export function checkIdentity(mount: Mount, identity: Identity): void {
  const { id, expiresAt = Number.POSITIVE_INFINITY } = identity
  const isId = typeof id === 'string' && id.length > 0 && id.length <= 256
  if (!isId || typeof expiresAt !== 'number' || Number.isNaN(expiresAt)) {
    complain(mount, 'authenticate', 'an `id` of 1 to 256 characters, and `expiresAt` in ms or not at all')
    throw new Refusal(503, 'UNAVAILABLE', 'authentication is not available now', 5)
  }
  checkUnit(mount, 'authenticate', expiresAt)
  if (expiresAt <= mount.clock.wall()) throw new Refusal(401, 'UNAUTHORIZED', 'the token has expired')
}

/** Says in the log that an end is in seconds: nobody gets in by it, or stays. */
export function checkUnit(
  mount: Mount,
  by: 'authenticate' | 'reauthorize',
  expiresAt: number | undefined,
): void {
  if (expiresAt !== undefined && expiresAt > 0 && expiresAt < LEAST_END)
    complain(mount, by, '`expiresAt` in ms since 1970; this one is in seconds')
}

// Once a minute: a client can have it happen at will.
function complain({ gateway, log, path }: Mount, by: string, what: string): void {
  gateway.caps.seldom.tell(`${by} of ${path}`, (unsaid) =>
    log.error({ path, unsaid }, `ackord: ${by} has to return ${what}`),
  )
}
