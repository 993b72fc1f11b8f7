/** A refused connection: as an HTTP answer before the 101, as a close code after it. PROTOCOL.md § Refusals. */
import { STATUS_CODES } from 'node:http'
import type { FastifyError, FastifyReply } from 'fastify'
import { CLOSE, type CloseCode } from '../../../contract/wire/index.js'

/** Refuses an upgrade with an HTTP answer: `{ statusCode, code, message }` and, where given, `retryAfter` and Retry-After. */
export class Refusal extends Error {
  readonly status: number
  readonly code: string
  /** Seconds. */
  readonly retryAfter: number | undefined
  constructor(status: number, code: string, message: string, retryAfter?: number) {
    super(message)
    this.name = 'Refusal'
    this.status = status
    this.code = code
    this.retryAfter = retryAfter
  }
}

// By reply: the code of the refusal it became.
const codes = new WeakMap<FastifyReply, string>()

/** The code a refusal was answered with; `HTTP_` and the status where a hook of the app answered by itself. */
export const answeredCode = (reply: FastifyReply): string => codes.get(reply) ?? `HTTP_${reply.statusCode}`

const BY_STATUS: Readonly<Record<number, string>> = {
  401: 'UNAUTHORIZED',
  403: 'FORBIDDEN',
  429: 'TOO_MANY_REQUESTS',
  503: 'UNAVAILABLE',
}

/**
 * What a hook of the app or of another plugin threw on the way to the 101, as a Refusal, so that a client can read it: @fastify/rate-limit
 * throws a 429, with Retry-After already among the headers. Nothing of an unexpected error is shown.
 */
export function refusalOf(error: FastifyError, reply: FastifyReply): Refusal {
  if (error instanceof Refusal) return error
  const { statusCode: status = 500, message } = error
  if (status < 400 || (status >= 500 && status !== 503)) {
    reply.log.error({ err: error }, 'ackord: an upgrade could not be checked')
    return new Refusal(500, 'INTERNAL', 'the upgrade could not be checked')
  }
  const retryAfter = Number(reply.getHeader('retry-after') ?? Number.NaN)
  const code = BY_STATUS[status] ?? `HTTP_${status}`
  return new Refusal(status, code, message, Number.isFinite(retryAfter) ? retryAfter : undefined)
}

/** Answers a refused handshake, with `protocols` where the client has to compare them; the route ends its socket once the answer left. */
export function refuse(reply: FastifyReply, refusal: Refusal, protocols?: readonly string[]): FastifyReply {
  codes.set(reply, refusal.code)
  return reply
    .code(refusal.status)
    .headers(headersOf(refusal))
    .send({ ...bodyOf(refusal), ...(protocols !== undefined && { protocols }) })
}

// In a storm thousands get one of a few refusals: each is written once.
const answers = new WeakMap<Refusal, string>()

/** The same as the bytes of an HTTP answer, for a socket that Fastify has not seen. */
export function answerOf(refusal: Refusal): string {
  let answer = answers.get(refusal)
  if (answer === undefined) {
    answer = write(refusal)
    answers.set(refusal, answer)
  }
  return answer
}

function write(refusal: Refusal): string {
  const body = JSON.stringify(bodyOf(refusal))
  const headers = {
    ...headersOf(refusal),
    connection: 'close',
    'content-type': 'application/json; charset=utf-8',
    'content-length': Buffer.byteLength(body),
  }
  const lines = Object.entries(headers).map(
    ([name, value]) => `${name.replace(/\b[a-z]/g, (letter) => letter.toUpperCase())}: ${value}`,
  )
  return [`HTTP/1.1 ${refusal.status} ${STATUS_CODES[refusal.status]}`, ...lines, '', body].join('\r\n')
}

const bodyOf = ({ status, code, message, retryAfter }: Refusal): Record<string, unknown> => ({
  statusCode: status,
  code,
  message,
  ...(retryAfter !== undefined && { retryAfter }),
})

const headersOf = ({ status, retryAfter }: Refusal): Record<string, string | number> => ({
  'cache-control': 'no-store',
  // RFC 9110 § 7.8, RFC 6455 § 4.4.
  ...(status === 426 && {
    upgrade: 'websocket',
    'sec-websocket-version': '13',
    connection: 'close, upgrade',
  }),
  ...(retryAfter !== undefined && { 'retry-after': retryAfter }),
})

/** No upgrade is taken any more. */
export const CLOSING = new Refusal(503, 'CLOSING', 'the server restarts', 1)

/** No namespace is at this path, and nobody else takes it. */
export const NOT_FOUND = new Refusal(404, 'NOT_FOUND', 'no WebSocket is served at this path')

/** The close code of a refusal that comes after the 101. */
export function closeCodeOf({ status }: Refusal): CloseCode {
  if (status === 403) return CLOSE.FORBIDDEN
  if (status === 429) return CLOSE.TRY_LATER
  return status < 500 ? CLOSE.UNAUTHORIZED : CLOSE.AUTH_UNAVAILABLE
}
