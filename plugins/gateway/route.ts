/** The route of a namespace: the upgrade passes Fastify's own hooks and router, then the gate, then becomes a connection. */
import type { Duplex } from 'node:stream'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { WebSocketServer } from 'ws'
import { Connection } from './connection.js'
import { checkHandshake } from './gate.js'
import type { Identity, UpgradeInfo } from './hooks.js'
import type { Mount } from './mount.js'
import { Refusal, refuse } from './refusal.js'
import { GatewaySocket } from './socket.js'
import type { PendingUpgrades } from './upgrade.js'

/** Milliseconds a peer has to answer Close before its socket is destroyed. */
const CLOSE_TIMEOUT_MS = 3000

/** What the gate found out; handed from preValidation to preHandler. */
interface Admission {
  readonly upgrade: UpgradeInfo
  readonly identity: Identity | undefined
}

/** Declares the route in the namespace's scope. */
export function declareRoute(
  scope: FastifyInstance,
  mount: Mount,
  url: string,
  pending: PendingUpgrades,
): void {
  const options = {
    noServer: true,
    clientTracking: false,
    WebSocket: GatewaySocket,
    maxPayload: mount.settings.maxPayload,
    perMessageDeflate: false,
    closeTimeout: CLOSE_TIMEOUT_MS,
    handleProtocols: () => mount.codec.subprotocol,
  }
  const sockets = new WebSocketServer<typeof GatewaySocket>(options)
  const admissions = new WeakMap<object, Admission>()

  // Late enough for Fastify's own hooks and rate limits, early enough that a refused guess is counted.
  const preValidation = async (
    request: FastifyRequest,
    reply: FastifyReply,
  ): Promise<FastifyReply | undefined> => {
    if (!pending.has(request.raw))
      return refuse(reply, new Refusal(426, 'UPGRADE_REQUIRED', 'this is a WebSocket endpoint'))
    try {
      admissions.set(request.raw, await admit(mount, request))
      return undefined
    } catch (error) {
      if (error instanceof Refusal) return refuse(reply, error)
      request.log.error({ err: error }, 'ackord: an upgrade could not be checked')
      return refuse(reply, new Refusal(500, 'INTERNAL', 'the upgrade could not be checked'))
    }
  }

  // Last of the hooks, and not the handler: an app's own @fastify/websocket puts its handler before ours.
  const preHandler = (request: FastifyRequest, reply: FastifyReply, done: () => void): void => {
    const waiting = pending.get(request.raw)
    const admission = admissions.get(request.raw)
    if (waiting === undefined || admission === undefined) {
      done()
      return
    }
    const { socket, head, release } = waiting
    reply.hijack()
    reply.raw.detachSocket(reply.raw.socket ?? request.raw.socket)
    pending.delete(request.raw)
    mount.gateway.upgrades.delete(socket)
    sockets.handleUpgrade(request.raw, socket, head, (ws) => {
      release()
      const connection = new Connection(mount, ws, socket, admission.upgrade, admission.identity)
      mount.gateway.sockets.add(connection)
      mount.gateway.handshakes.add(connection)
    })
  }

  // Whoever refuses, we or a hook of the app: nobody else ends this socket, which left Node's HTTP server with the upgrade.
  const onSend = (
    request: FastifyRequest,
    reply: FastifyReply,
    _payload: unknown,
    done: () => void,
  ): void => {
    if (pending.has(request.raw)) reply.raw.shouldKeepAlive = false
    done()
  }
  const onResponse = (request: FastifyRequest, _reply: FastifyReply, done: () => void): void => {
    const waiting = pending.get(request.raw)
    if (waiting !== undefined) endSoon(waiting.socket)
    done()
  }

  scope.route({
    method: 'GET',
    url,
    onSend,
    onResponse,
    preValidation,
    preHandler,
    handler: (_request, reply) => reply.code(500).send(),
  })
}

async function admit(mount: Mount, request: FastifyRequest): Promise<Admission> {
  const upgrade = checkHandshake(mount, request)
  for (const onUpgrade of mount.gateway.hooks.of('onUpgrade', mount.path)) await onUpgrade(upgrade, mount)
  const token = mount.carriedToken(request)
  return { upgrade, identity: token === undefined ? undefined : await mount.authenticate(token, upgrade) }
}

function endSoon(socket: Duplex): void {
  if ('destroySoon' in socket && typeof socket.destroySoon === 'function') socket.destroySoon()
  else socket.end(() => socket.destroy())
}
