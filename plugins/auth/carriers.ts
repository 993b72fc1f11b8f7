/** Where an upgrade may carry a token. PROTOCOL.md § Tokens. */
import type { FastifyRequest } from 'fastify'
import { MAX_TOKEN, TOKEN_SUBPROTOCOL } from '../../contract/wire/index.js'
import { subprotocols } from '../gateway/index.js'

/** The token of an upgrade, in the order of the protocol; `undefined` where HELLO will bring it. */
export function carriedToken(request: FastifyRequest, cookie: string | undefined): string | undefined {
  const token = bearer(request) ?? fromCookie(request, cookie) ?? fromSubprotocol(request)
  // One that is too long is as good as none that fits: it is refused, not ignored.
  return token?.slice(0, MAX_TOKEN + 1)
}

function bearer({ headers }: FastifyRequest): string | undefined {
  return /^Bearer +(\S+) *$/i.exec(headers.authorization ?? '')?.[1]
}

function fromCookie(request: FastifyRequest, cookie: string | undefined): string | undefined {
  if (cookie === undefined || !('cookies' in request)) return undefined
  const cookies = request.cookies as Readonly<Record<string, string | undefined>>
  return cookies[cookie]
}

function fromSubprotocol({ headers }: FastifyRequest): string | undefined {
  const carrier = subprotocols(headers['sec-websocket-protocol']).find((name) =>
    name.startsWith(TOKEN_SUBPROTOCOL),
  )
  return carrier && Buffer.from(carrier.slice(TOKEN_SUBPROTOCOL.length), 'base64url').toString()
}
