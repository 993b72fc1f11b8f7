/**
 * Whose upgrade it is. One listener per HTTP server: our paths go through the Fastify router, everything else is
 * left to whoever else listens, or goes back to HTTP as if nobody did. docs/decisions/own-the-upgrade.md.
 */
import { type IncomingMessage, type Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { FastifyInstance } from 'fastify'
import type { Gateway } from './gateway.js'

/** What Node hands over with an upgrade; the route finds it again by its request. */
export interface PendingUpgrade {
  readonly socket: Duplex
  readonly head: Buffer
  /** It is decided: the socket is somebody else's, or ended. */
  readonly release: () => void
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

  const onUpgrade = (request: IncomingMessage, socket: Duplex, head: Buffer): void => {
    if (isBusy(request, socket)) {
      socket.destroy()
      return
    }
    const isOurs = gateway.paths.has(pathOf(request.url)) && isWebSocket(request)
    if (!isOurs || gateway.closing) {
      if (server.listenerCount('upgrade') === 1) returnToHttp(server, request, socket, head)
      else if (isOurs) refuseWhileClosing(socket)
      return
    }
    pending.set(request, { socket, head, release: guard(socket, gateway.upgrades) })
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

// Pipelined behind a request that is not answered yet: whatever is written for the upgrade would stand before or in that answer.
function isBusy(request: IncomingMessage, socket: Duplex): boolean {
  const probe = new ServerResponse(request)
  try {
    probe.assignSocket(socket as Socket)
    probe.detachSocket(socket as Socket)
    return false
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_HTTP_SOCKET_ASSIGNED') return true
    throw error
  }
}

// Node takes its error listener off before 'upgrade': a peer's reset would otherwise end the process.
function guard(socket: Duplex, upgrades: Gateway['upgrades']): () => void {
  const release = (): void => {
    upgrades.delete(socket)
    socket.off('error', destroy)
    socket.off('close', release)
  }
  upgrades.add(socket)
  socket.on('error', destroy)
  socket.on('close', release)
  return release
}

function destroy(this: Duplex): void {
  this.destroy()
}

// The other listeners leave it alone, so that nobody would end it and the server would wait for it for ever.
function refuseWhileClosing(socket: Duplex): void {
  socket.on('error', destroy)
  socket.end('HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 0\r\n\r\n', () =>
    socket.destroy(),
  )
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

const withoutUpgrade = (value: string): string =>
  value
    .split(',')
    .map((token) => token.trim())
    .filter((token) => !HOP_HEADERS.has(token.toLowerCase()))
    .join(', ') || 'keep-alive'
