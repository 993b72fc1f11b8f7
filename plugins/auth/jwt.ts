/** The default where @fastify/jwt is registered and a namespace says nothing: a verified JWT whose `sub` is the user. */
import type { FastifyInstance } from 'fastify'
import { type Identity, Refusal } from '../gateway/index.js'
import type { Authenticate } from './authenticator.js'

/** The part of @fastify/jwt that is used. */
interface JwtDecorator {
  verify(token: string): unknown
}

/** The decorator of @fastify/jwt, where this scope has it; with its option `namespace` it has no `verify` of its own. */
export function jwtOf(app: FastifyInstance): JwtDecorator | undefined {
  if (!app.hasDecorator('jwt')) return undefined
  const { jwt } = app as unknown as { jwt?: Partial<JwtDecorator> }
  return typeof jwt?.verify === 'function' ? (jwt as JwtDecorator) : undefined
}

/** Verifies with the options given to @fastify/jwt (algorithms, issuer, audience); `exp` ends the connection, `jti` names the token. */
export function jwtAuthenticate(jwt: JwtDecorator): Authenticate<Identity> {
  return async ({ token }, app) => {
    const claims: { sub?: unknown; exp?: unknown; jti?: unknown } = Object(await jwt.verify(token))
    if (typeof claims.sub !== 'string') {
      app.log.warn(
        'ackord: a good JWT names nobody in `sub`; give the namespace an `authenticate` that knows it',
      )
      throw new Refusal(401, 'UNAUTHORIZED', 'the token names nobody in `sub`')
    }
    return {
      id: claims.sub,
      ...(typeof claims.exp === 'number' && { expiresAt: claims.exp * 1000 }),
      ...(typeof claims.jti === 'string' && { tokenId: claims.jti }),
    }
  }
}
