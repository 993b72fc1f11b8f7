/** A refused connection: as an HTTP answer before the 101, as a close code after it. PROTOCOL.md § Tokens. */
import type { FastifyReply } from 'fastify'
import { CLOSE, type CloseCode } from '../../contract/wire/index.js'

/** Refuses an upgrade with an HTTP answer: `{ code, message }` and, where given, Retry-After. */
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

/** Answers a refused handshake; the route ends its socket once the answer left. */
export function refuse(reply: FastifyReply, refusal: Refusal): FastifyReply {
  reply.code(refusal.status).header('connection', 'close').header('cache-control', 'no-store')
  if (refusal.status === 426) reply.header('upgrade', 'websocket').header('sec-websocket-version', '13')
  if (refusal.retryAfter !== undefined) reply.header('retry-after', refusal.retryAfter)
  return reply.send({ statusCode: refusal.status, code: refusal.code, message: refusal.message })
}

/** The close code of a refusal that comes after the 101. */
export function closeCodeOf({ status }: Refusal): CloseCode {
  if (status === 403) return CLOSE.FORBIDDEN
  return status < 500 ? CLOSE.UNAUTHORIZED : CLOSE.AUTH_UNAVAILABLE
}
