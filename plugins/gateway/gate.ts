/** The way to the 101: each check in its order, each refusal an HTTP answer. PROTOCOL.md § Opening. */
import type { IncomingHttpHeaders } from 'node:http'
import type { FastifyRequest } from 'fastify'
import { TOKEN_SUBPROTOCOL } from '../../contract/wire/index.js'
import type { UpgradeInfo } from './hooks.js'
import type { Mount } from './mount.js'
import { Refusal } from './refusal.js'

const KEY = /^[+/0-9A-Za-z]{22}==$/
// RFC 9110 § 5.6.2.
const TOKEN = /^[\w!#$%&'*+.^`|~-]+$/

/** Checks a handshake up to the subprotocol and takes its snapshot. Throws a Refusal. */
export function checkHandshake(mount: Mount, request: FastifyRequest): UpgradeInfo {
  const { headers } = request
  if (headers['sec-websocket-version'] !== '13') {
    throw new Refusal(426, 'WEBSOCKET_VERSION', 'Sec-WebSocket-Version must be 13')
  }
  if (!KEY.test(headers['sec-websocket-key'] ?? '')) {
    throw new Refusal(400, 'WEBSOCKET_KEY', 'Sec-WebSocket-Key must be 16 bytes in base64')
  }
  checkOrigin(mount, request)
  const offered = subprotocols(headers['sec-websocket-protocol'])
  if (!offered.every((name) => TOKEN.test(name)) || new Set(offered).size < offered.length) {
    throw new Refusal(400, 'SUBPROTOCOL', 'Sec-WebSocket-Protocol must be a list of distinct names')
  }
  const { subprotocol } = mount.codec
  if (!offered.includes(subprotocol)) {
    throw new Refusal(426, 'SUBPROTOCOL', `offer the subprotocol ${subprotocol}`)
  }
  return {
    ip: request.ip,
    headers: withoutTokens(mount, headers, offered),
    url: request.url,
    protocol: subprotocol,
  }
}

/** The subprotocols a client offers, in order. */
export function subprotocols(header: string | undefined): string[] {
  return header === undefined ? [] : header.split(',').map((name) => name.trim())
}

function withoutTokens(
  mount: Mount,
  headers: IncomingHttpHeaders,
  offered: readonly string[],
): IncomingHttpHeaders {
  const shown = offered.filter((name) => !name.startsWith(TOKEN_SUBPROTOCOL))
  const kept = { ...headers, 'sec-websocket-protocol': shown.join(', ') }
  delete kept.authorization
  if (mount.settings.cookie !== undefined) delete kept.cookie
  return kept
}

// A browser always sends Origin with an upgrade; what sends none has no ambient cookies to be abused.
function checkOrigin(mount: Mount, request: FastifyRequest): void {
  const { origin } = request.headers
  if (origin === undefined) return
  const allowed = mount.settings.allowedOrigins
  const isAllowed =
    allowed === undefined ? origin === `${request.protocol}://${request.host}` : allowed.has(origin)
  if (!isAllowed) {
    request.log.warn({ origin }, 'ackord: an upgrade was refused, its Origin is not in allowedOrigins')
    throw new Refusal(
      403,
      'ORIGIN_FORBIDDEN',
      'this origin may not connect; the server lists who may in allowedOrigins',
    )
  }
}
