/** From a token to a user, whoever verifies it; every failure is one of three answers. PROTOCOL.md § Tokens. */
import { randomUUID } from 'node:crypto'
import type { FastifyInstance } from 'fastify'
import { MAX_TOKEN } from '../../contract/wire/index.js'
import { type Authenticator, type Identity, Refusal, type UpgradeInfo } from '../gateway/index.js'
import { isOutage } from './outage.js'

/** What an application's `authenticate` is given. */
export interface Credentials {
  /** At most 16,384 characters. */
  readonly token: string
  readonly upgrade: UpgradeInfo
}

/**
 * Returns who connects, or refuses: by returning null, or by a throw. A thrown error whose `statusCode` is 403 is
 * FORBIDDEN; one of 500 and above, of the system (a database away) or a TimeoutError, or one caused by such, is 503; any
 * other is 401.
 */
export type Authenticate<U extends Identity> = (
  credentials: Credentials,
  app: FastifyInstance,
) => U | null | Promise<U | null>

/** Makes the authenticator of a namespace from its `authenticate`. */
export function authenticatorOf(authenticate: Authenticate<Identity>, app: FastifyInstance): Authenticator {
  return async (token, upgrade) => {
    if (token === undefined || token === '' || token.length > MAX_TOKEN) {
      app.log.debug(
        token ? 'ackord: a token is too long' : 'ackord: neither the upgrade nor HELLO has a token',
      )
      throw new Refusal(401, 'UNAUTHORIZED', 'a token is needed')
    }
    let identity: Identity | null
    try {
      identity = await authenticate({ token, upgrade }, app)
    } catch (error) {
      throw refusalFor(error, app)
    }
    if (identity === null || identity === undefined)
      throw new Refusal(401, 'UNAUTHORIZED', 'the token is refused')
    return identity
  }
}

/** Everybody is somebody new: for `authenticate: 'none'`. */
export const anybody: Authenticator = async () => ({ id: randomUUID() })

function refusalFor(error: unknown, app: FastifyInstance): Refusal {
  if (error instanceof Refusal) return error
  if (isOutage(error)) {
    app.log.error({ err: error }, 'ackord: authenticate failed')
    return new Refusal(503, 'UNAVAILABLE', 'authentication is not available now', 5)
  }
  // What a slip in the application's own code throws; a wrong token must not lead to it.
  if (error instanceof TypeError || error instanceof ReferenceError) {
    app.log.warn({ err: error }, 'ackord: authenticate threw; its token was refused')
  } else {
    app.log.debug({ err: error }, 'ackord: a token was refused')
  }
  return Object(error).statusCode === 403
    ? new Refusal(403, 'FORBIDDEN', 'not allowed here')
    : new Refusal(401, 'UNAUTHORIZED', 'the token is refused')
}
