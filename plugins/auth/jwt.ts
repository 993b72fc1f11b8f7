/** The default where @fastify/jwt is registered and a namespace says nothing: a verified JWT whose `sub` is the user. */
import type { FastifyInstance } from 'fastify'
import { type Identity, Refusal } from '../gateway/index.js'
import type { Authenticate } from './authenticator.js'

/** The part of @fastify/jwt that is used. */
interface JwtDecorator {
  verify(token: string): unknown
}

/** The decorator of @fastify/jwt, where this scope has it. */
export function jwtOf(app: FastifyInstance): JwtDecorator | undefined {
  return app.hasDecorator('jwt') ? (app as unknown as { jwt: JwtDecorator }).jwt : undefined
}

/** Verifies with the options given to @fastify/jwt (algorithms, issuer, audience); `exp` ends the connection, `jti` names the token. */
export function jwtAuthenticate(jwt: JwtDecorator): Authenticate<Identity> {
  return async ({ token }) => {
    const claims = (await jwt.verify(token)) as { sub?: unknown; exp?: unknown; jti?: unknown }
    if (typeof claims.sub !== 'string')
      throw new Refusal(401, 'UNAUTHORIZED', 'the token names nobody in `sub`')
    return {
      id: claims.sub,
      ...(typeof claims.exp === 'number' && { expiresAt: claims.exp * 1000 }),
      ...(typeof claims.jti === 'string' && { tokenId: claims.jti }),
    }
  }
}
