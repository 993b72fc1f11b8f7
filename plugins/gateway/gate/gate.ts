/** The way to the 101: each check in its order, each refusal an HTTP answer. PROTOCOL.md § Opening, § Refusals. */
import type { IncomingHttpHeaders } from 'node:http'
import type { FastifyRequest } from 'fastify'
import { TOKEN_SUBPROTOCOL } from '../../../contract/wire/index.js'
import type { Identity, UpgradeInfo } from '../hooks.js'
import type { Mount } from '../mount.js'
import { CLOSING, Refusal } from './refusal.js'
import type { PendingUpgrade } from './upgrade.js'

const KEY = /^[+/0-9A-Za-z]{22}==$/
// RFC 9110 § 5.6.2.
const TOKEN = /^[\w!#$%&'*+.^`|~-]+$/
/** Seconds after which a user with too many connections may have fewer. */
const USER_RETRY_AFTER = 30

/** What the gate found out. */
export interface Admission {
  readonly upgrade: UpgradeInfo
  /** Where the upgrade carried a token. */
  readonly identity: Identity | undefined
}

/**
 * Lets an upgrade in, or throws a Refusal: node and address, handshake, Origin, subprotocol, the hooks, token, user. A plain GET
 * (`pending` is undefined) goes through the same checks and takes nothing.
 */
export async function admit(
  mount: Mount,
  request: FastifyRequest,
  pending: PendingUpgrade | undefined,
): Promise<Admission> {
  const { caps, closing, upgrades, hooks } = mount.gateway
  const { ip } = request
  if (pending === undefined) {
    const refusal = closing ? CLOSING : caps.nodeRefusal(upgrades.size)
    if (refusal !== undefined) throw refusal
    caps.check(ip)
  } else {
    pending.place = caps.enter(ip)
    checkHeaders(request)
  }
  checkOrigin(mount, request)
  const upgrade = snapshot(mount, request, chooseSubprotocol(mount, request, pending !== undefined))
  await caps.line.turn()
  // Nobody asks about who has left meanwhile, and nobody reads this.
  if (pending?.isOver) throw CLOSING
  for (const onUpgrade of hooks.of('onUpgrade', mount.path)) await onUpgrade(upgrade, mount)
  const token = mount.carriedToken(request)
  if (token === undefined) {
    caps.checkAnonymous(ip)
    pending?.place?.awaitToken()
    return { upgrade, identity: undefined }
  }
  const { socket } = request.raw
  const identity = await mount.authenticate(token, upgrade, () => !socket.destroyed)
  if (mount.isFullFor(identity.id)) {
    throw new Refusal(429, 'TOO_MANY_CONNECTIONS', 'too many connections of this user', USER_RETRY_AFTER)
  }
  pending?.place?.expect(mount.expected, identity.id)
  return { upgrade, identity }
}

// RFC 6455 § 4.2.1. What stands behind the head of an upgrade is its first frames: a body would be read as such.
function checkHeaders({ headers }: FastifyRequest): void {
  if (headers['sec-websocket-version'] !== '13') {
    throw new Refusal(426, 'WEBSOCKET_VERSION', 'Sec-WebSocket-Version must be 13')
  }
  if (!KEY.test(headers['sec-websocket-key'] ?? '')) {
    throw new Refusal(400, 'WEBSOCKET_KEY', 'Sec-WebSocket-Key must be 16 bytes in base64')
  }
  if ((headers['content-length'] ?? '0') !== '0' || headers['transfer-encoding'] !== undefined) {
    throw new Refusal(400, 'BODY', 'an upgrade has no body')
  }
}

/** The subprotocols a client offers, in order. */
export function subprotocols(header: string | undefined): string[] {
  return header === undefined ? [] : header.split(',').map((name) => name.trim())
}

// A browser cannot send the header with a plain GET: it is told which there are, and compares.
function chooseSubprotocol(mount: Mount, { headers }: FastifyRequest, isUpgrade: boolean): string {
  const header = headers['sec-websocket-protocol']
  if (!isUpgrade && header === undefined) return ''
  const offered = subprotocols(header)
  if (!offered.every((name) => TOKEN.test(name)) || new Set(offered).size < offered.length) {
    throw new Refusal(400, 'SUBPROTOCOL', 'Sec-WebSocket-Protocol must be a list of distinct names')
  }
  const { codecs } = mount.gateway
  const subprotocol = codecs.choose(offered)
  if (subprotocol === undefined) {
    throw new Refusal(426, 'SUBPROTOCOL', `offer the subprotocol ${codecs.subprotocols.join(' or ')}`)
  }
  return isUpgrade ? subprotocol : ''
}

function snapshot(mount: Mount, { ip, url, headers }: FastifyRequest, protocol: string): UpgradeInfo {
  return { ip, headers: withoutTokens(mount, headers), url, protocol }
}

function withoutTokens(mount: Mount, headers: IncomingHttpHeaders): IncomingHttpHeaders {
  const kept = { ...headers }
  const offered = kept['sec-websocket-protocol']
  if (offered !== undefined) {
    const shown = subprotocols(offered).filter((name) => !name.startsWith(TOKEN_SUBPROTOCOL))
    kept['sec-websocket-protocol'] = shown.join(', ')
  }
  delete kept.authorization
  if (mount.settings.cookie !== undefined) delete kept.cookie
  return kept
}

// A browser always sends Origin with an upgrade; what sends none has no ambient cookies to be abused.
function checkOrigin(mount: Mount, request: FastifyRequest): void {
  const own = `${request.protocol}://${request.host}`
  const origin = request.headers.origin ?? sameOrigin(request, own)
  if (origin === undefined) return
  const { allowedOrigins } = mount.settings
  if (allowedOrigins === undefined ? origin === own : allowedOrigins.has(origin)) return
  // By its first letters: a peer may make up as long ones as it likes.
  const shown = origin.slice(0, MAX_SHOWN)
  mount.gateway.caps.origins.tell(shown, (unsaid) =>
    request.log.warn(
      { origin: shown, unsaid },
      'ackord: an upgrade was refused, its Origin is not in allowedOrigins',
    ),
  )
  throw new Refusal(
    403,
    'ORIGIN_FORBIDDEN',
    'this origin may not connect; the server lists who may in allowedOrigins',
  )
}

// A page's GET to its own origin has no Origin; its upgrade will (Fetch § 3.2).
function sameOrigin({ headers }: FastifyRequest, own: string): string | undefined {
  return headers['sec-fetch-site'] === 'same-origin' ? own : undefined
}

/** Characters of an Origin that are logged. */
const MAX_SHOWN = 200
