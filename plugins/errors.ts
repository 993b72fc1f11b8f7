/**
 * Every error that ackord throws at the code that uses it, in one table. docs/errors.md is tested against it.
 */

const MESSAGES = {
  ACKORD_ALREADY_MOUNTED:
    'this namespace is mounted already: make a second namespace() of the contract to mount it twice',
  ACKORD_ALREADY_REGISTERED: 'ackord is registered already: once per app is enough',
  ACKORD_AUTHENTICATE_MISSING:
    "who may connect is not said: give namespace() an `authenticate`, register @fastify/jwt before, or write authenticate: 'none'",
  ACKORD_COOKIE_PLUGIN_MISSING: 'the token cookie needs @fastify/cookie: register it before the namespace',
  ACKORD_HANDLER_MISSING: 'a handler is missing',
  ACKORD_HANDLER_UNKNOWN: 'a handler stands under a name that the contract does not have',
  ACKORD_INVALID_HANDLER: 'a handler is of the wrong kind',
  ACKORD_INVALID_HOOK: 'this hook would never run',
  ACKORD_INVALID_OPTION: 'an option is unknown or out of its bounds',
  ACKORD_INVALID_PARAMS: 'the params do not fit the room',
  ACKORD_INVALID_PAYLOAD: 'the payload does not fit its schema',
  ACKORD_MSGPACK_MISSING:
    'the contract carries bytes (Type.Uint8Array), which its clients send by MessagePack: npm install msgpackr',
  ACKORD_NOT_MOUNTED:
    'this namespace is not mounted in this app: register namespace.plugin({ … }) before the app is ready',
  ACKORD_PATH_TAKEN: 'another namespace is mounted at this path',
  ACKORD_PLUGIN_MISSING: 'ackord is not registered: await app.register(ackord) before the namespace',
  ACKORD_RATE_LIMIT_PLUGIN_MISSING:
    'routeConfig.rateLimit needs @fastify/rate-limit: register it before the namespace',
  ACKORD_UNKNOWN_NAME: 'the contract has no such name',
  ACKORD_WRONG_DELIVERY: 'a recoverable event goes into the inbox of one user, and no other way',
} as const

/** The code of an error that ackord throws at the code that uses it. */
export type AckordErrorCode = keyof typeof MESSAGES

/** All of them, for the test that holds the docs against this table. */
export const ACKORD_ERROR_CODES = Object.keys(MESSAGES) as AckordErrorCode[]

/** A use of ackord that cannot work. The message says what to do; `code` is for programs. */
export class AckordError extends Error {
  readonly code: AckordErrorCode
  constructor(code: AckordErrorCode, detail?: string, options?: ErrorOptions) {
    super(detail === undefined ? MESSAGES[code] : `${MESSAGES[code]} (${detail})`, options)
    this.name = 'AckordError'
    this.code = code
  }
}
