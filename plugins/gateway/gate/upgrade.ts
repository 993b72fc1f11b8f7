/**
 * Whose upgrade it is. One listener per HTTP server: our paths go through the Fastify router, everything else is
 * left to whoever else listens. Where nobody does, a WebSocket is refused and the rest goes back to HTTP. docs/decisions/own-the-upgrade.md.
 */
import { type IncomingMessage, type Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { FastifyInstance } from 'fastify'
import type { Gateway } from '../gateway.js'
import type { Mount } from '../mount.js'
import type { Place } from './caps.js'
import { hasRequest } from './http-sockets.js'
import { answerOf, CLOSING, NOT_FOUND, type Refusal } from './refusal.js'
import { Refusing } from './refusing.js'

/** What Node hands over with an upgrade, until it is decided; the route finds it again by its request. */
export class PendingUpgrade {
  readonly socket: Duplex
  readonly head: Buffer
  /** What it has taken at the gate: given back with its socket, or handed to its connection. */
  place: Place | undefined
  readonly #mount: Mount
  #isOver = false

  constructor(mount: Mount, socket: Duplex, head: Buffer) {
    this.#mount = mount
    this.socket = socket
    this.head = head
    mount.gateway.upgrades.add(this)
    // Node takes its error listener off before 'upgrade': a peer's reset would otherwise end the process.
    socket.on('error', destroy)
    socket.on('close', this.#onClose)
  }

  /** Answered, or its peer is gone: a hook of the app may have held it up for longer. Nothing may be taken for it any more. */
  get isOver(): boolean {
    return this.#isOver || this.socket.destroyed
  }

  /** Fastify has its answer: no other may be written, counted or told. */
  answered(): void {
    this.#isOver = true
  }

  /**
   * Answers it by itself, without Fastify, and ends its socket. Whose it is behind a proxy nobody knows then. One that is over only ends.
   */
  refuse(refusal: Refusal): void {
    if (this.isOver) {
      endSoon(this.socket)
      return
    }
    this.#isOver = true
    this.socket.write(answerOf(refusal))
    endSoon(this.socket)
    if (refusal === CLOSING) this.#mount.gateway.refusedClosing()
    const { status, code } = refusal
    this.#mount.listeners.refused({ ip: undefined, status, code })
  }

  /** The socket is a connection's now. */
  release(): void {
    this.#mount.gateway.upgrades.delete(this)
    this.socket.off('error', destroy)
    this.socket.off('close', this.#onClose)
  }

  readonly #onClose = (): void => {
    this.release()
    this.place?.leave()
  }
}

/** The upgrades under way, by request. An entry lives as long as its request. */
export type PendingUpgrades = WeakMap<IncomingMessage, PendingUpgrade>

/** Listens until the returned function is called. */
export function listenForUpgrades(
  app: FastifyInstance,
  gateway: Gateway,
  pending: PendingUpgrades,
): () => void {
  const server = app.server
  const refusing = new Refusing(gateway.clock)

  const onUpgrade = (request: IncomingMessage, socket: Duplex, head: Buffer): void => {
    // Pipelined behind a request that is not answered yet: whatever is written for the upgrade would stand before or in that answer.
    if (hasRequest(socket, request)) {
      socket.destroy()
      return
    }
    const mount = isWebSocket(request) ? gateway.paths.get(pathOf(request.url)) : undefined
    if (mount === undefined) {
      if (server.listenerCount('upgrade') > 1) gateway.http.forget(socket)
      else if (isWebSocket(request)) refuseUnknown(gateway, socket)
      else returnToHttp(server, request, socket, head)
      return
    }
    gateway.http.forget(socket)
    // Fastify's router takes none any more when the app closes. PROTOCOL.md § Drain.
    const refusal = gateway.closing ? CLOSING : gateway.caps.nodeRefusal(gateway.upgrades.size)
    const upgrade = new PendingUpgrade(mount, socket, head)
    if (refusal !== undefined) {
      // Before anything is spent on it. Other listeners see that its request has a response, and leave it alone.
      if (server.listenerCount('upgrade') > 1) new ServerResponse(request).assignSocket(socket as Socket)
      refusing.refuse(upgrade, refusal)
      return
    }
    pending.set(request, upgrade)
    // The app's own @fastify/websocket routes every upgrade, ours too, in a listener after this one.
    process.nextTick(route, app, request, socket)
  }

  // First, so that the request is known before another listener routes it.
  server.prependListener('upgrade', onUpgrade)
  return () => server.removeListener('upgrade', onUpgrade)
}

/** The path of a request target, without its query. */
export function pathOf(url: string | undefined): string {
  const target = url ?? '/'
  const query = target.indexOf('?')
  return query === -1 ? target : target.slice(0, query)
}

const isWebSocket = (request: IncomingMessage): boolean =>
  request.method === 'GET' && request.headers.upgrade?.toLowerCase() === 'websocket'

function destroy(this: Duplex): void {
  this.destroy()
}

/** Ends a socket once what was written has left. */
export function endSoon(socket: Duplex): void {
  if ('destroySoon' in socket && typeof socket.destroySoon === 'function') socket.destroySoon()
  else socket.end(() => socket.destroy())
}

/** Nobody takes it, and no answer of HTTP would be of use to who asked. */
function refuseUnknown(gateway: Gateway, socket: Duplex): void {
  gateway.http.forget(socket)
  socket.on('error', destroy)
  const refusal = gateway.closing ? CLOSING : NOT_FOUND
  socket.write(answerOf(refusal))
  endSoon(socket)
  gateway.counters.refused.add(refusal.code)
}

function route(app: FastifyInstance, request: IncomingMessage, socket: Duplex): void {
  if (socket.destroyed) return
  const response = new ServerResponse(request)
  try {
    response.assignSocket(socket as Socket)
  } catch (error) {
    // Somebody else has given the request a response, and with it a way through the router.
    if ((error as NodeJS.ErrnoException).code === 'ERR_HTTP_SOCKET_ASSIGNED') return
    throw error
  }
  app.routing(request, response)
}

// The names of the hop-by-hop headers that made Node take the request for an upgrade. RFC 9110 § 7.8.
const HOP_HEADERS = new Set(['upgrade', 'http2-settings'])

/**
 * Gives a request back to HTTP: its head is put before what was read behind it, without the wish to upgrade, and the
 * socket is a new connection of the server. Body, keep-alive and pipelining work as if nobody listened.
 */
function returnToHttp(server: Server, request: IncomingMessage, socket: Duplex, head: Buffer): void {
  const lines = [`${request.method} ${request.url} HTTP/${request.httpVersion}`]
  for (let i = 0; i < request.rawHeaders.length; i += 2) {
    const name = request.rawHeaders[i] ?? ''
    const value = request.rawHeaders[i + 1] ?? ''
    if (HOP_HEADERS.has(name.toLowerCase())) continue
    lines.push(`${name}: ${name.toLowerCase() === 'connection' ? withoutUpgrade(value) : value}`)
  }
  socket.unshift(Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'), head]))
  server.emit('encrypted' in socket ? 'secureConnection' : 'connection', socket)
}

function withoutUpgrade(value: string): string {
  const tokens = value.split(',').map((token) => token.trim())
  return tokens.filter((token) => !HOP_HEADERS.has(token.toLowerCase())).join(', ') || 'keep-alive'
}
