/** The default where @fastify/jwt is registered and a namespace has no `authenticate`: a verified JWT whose `sub` is the user. */
import type { FastifyInstance } from 'fastify'
import { AckordError } from '../errors.js'
import { type Identity, Refusal } from '../gateway/index.js'
import type { Authenticate } from './authenticator.js'

/** What a namespace asks of a JWT beside a good signature. docs/security.md. */
export interface JwtOptions {
  /** The only accepted `alg`. Default: those of @fastify/jwt's own options, or else of its key's kind; never `none`. */
  readonly algorithms?: readonly string[]
  /** `aud` must be there and name one of these. Default: not looked at, beyond @fastify/jwt's own `allowedAud`. */
  readonly audience?: string | readonly string[]
  /** `iss` must be there and be one of these. Default: not looked at, beyond @fastify/jwt's own `allowedIss`. */
  readonly issuer?: string | readonly string[]
  /** `exp` must be there. Default true. */
  readonly requireExp?: boolean
}

/** The part of @fastify/jwt that is used. */
interface JwtDecorator {
  verify(token: string, options?: object): unknown
}

interface Claims {
  readonly sub?: unknown
  readonly exp?: unknown
  readonly jti?: unknown
  readonly aud?: unknown
  readonly iss?: unknown
}

/** The decorator of @fastify/jwt, where this scope has it; with its option `namespace` it has no `verify` of its own. */
export function jwtOf(app: FastifyInstance): JwtDecorator | undefined {
  if (!app.hasDecorator('jwt')) return undefined
  const { jwt } = app as unknown as { jwt?: Partial<JwtDecorator> }
  return typeof jwt?.verify === 'function' ? (jwt as JwtDecorator) : undefined
}

/**
 * Verifies with the options given to @fastify/jwt and those of the namespace; `exp` ends the connection, `jti` names the token. Throws
 * ACKORD_INVALID_OPTION.
 */
export function jwtAuthenticate(jwt: JwtDecorator, options: JwtOptions = {}): Authenticate<Identity> {
  const { requireExp = true } = options
  const verifyOptions = optionsOf(options)
  const required = ['sub', requireExp && 'exp', options.audience && 'aud', options.issuer && 'iss'] as const
  return async ({ token }, app) => {
    const claims: Claims = Object(await jwt.verify(token, verifyOptions))
    for (const claim of required) {
      // @fastify/jwt checks a claim only where the token has it.
      if (!claim || claims[claim] !== undefined) continue
      app.log.warn(
        { claim },
        'ackord: a JWT with a good signature lacks a claim; see `jwt` of the namespace, or give it an `authenticate`',
      )
      throw new Refusal(401, 'UNAUTHORIZED', `the token has no \`${claim}\``)
    }
    if (typeof claims.sub !== 'string')
      throw new Refusal(401, 'UNAUTHORIZED', 'the token names nobody in `sub`')
    return {
      id: claims.sub,
      ...(typeof claims.exp === 'number' && { expiresAt: claims.exp * 1000 }),
      ...(typeof claims.jti === 'string' && { tokenId: claims.jti }),
    }
  }
}

// `undefined` where nothing is asked: @fastify/jwt then uses the verifier it made once.
function optionsOf({ algorithms, audience, issuer }: JwtOptions): object | undefined {
  if (algorithms?.length === 0 || algorithms?.includes('none')) {
    throw new AckordError('ACKORD_INVALID_OPTION', 'jwt.algorithms: at least one, and never "none"')
  }
  // Most likely a variable that is not set: it must not switch the check off.
  for (const [name, value] of Object.entries({ audience, issuer })) {
    if (value?.length === 0) throw new AckordError('ACKORD_INVALID_OPTION', `jwt.${name}: is empty`)
  }
  if (!algorithms && !audience && !issuer) return undefined
  return {
    ...(algorithms && { algorithms: [...algorithms] }),
    ...(audience && { allowedAud: list(audience) }),
    ...(issuer && { allowedIss: list(issuer) }),
  }
}

const list = (value: string | readonly string[]): string[] =>
  typeof value === 'string' ? [value] : [...value]
