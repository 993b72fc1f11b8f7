/** The route of a namespace: the upgrade passes Fastify's own hooks and router, then the gate, then becomes a connection. */
import type { FastifyContextConfig, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { WebSocketServer } from 'ws'
import { deflateOptions, keepAcceptableOffers } from '../compression.js'
import { Connection } from '../connection.js'
import type { Mount } from '../mount.js'
import { GatewaySocket } from '../socket.js'
import { type Admission, admit } from './gate.js'
import { answeredCode, Refusal, refusalOf, refuse } from './refusal.js'
import { endSoon, type PendingUpgrades } from './upgrade.js'

/** Milliseconds a peer has to answer Close before its socket is destroyed. */
const CLOSE_TIMEOUT_MS = 3000
/** Pongs that a peer which pings may leave unread; one more ends it. */
const MAX_PENDING_PONGS = 60

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
    perMessageDeflate: deflateOptions(mount.settings.compression),
    maxPendingAutoPongs: MAX_PENDING_PONGS,
    closeTimeout: CLOSE_TIMEOUT_MS,
    // The gate has refused who offers none of ours.
    handleProtocols: (offered: Set<string>) => mount.gateway.codecs.choose(offered) ?? false,
  }
  const sockets = new WebSocketServer<typeof GatewaySocket>(options)
  // Handed from preValidation to preHandler.
  const admissions = new WeakMap<object, Admission>()

  // Late enough for Fastify's own hooks and rate limits, early enough that a refused guess is counted.
  const preValidation = async (
    request: FastifyRequest,
    reply: FastifyReply,
  ): Promise<FastifyReply | undefined> => {
    const waiting = pending.get(request.raw)
    if (waiting?.isOver) return reply.hijack()
    try {
      const admission = await admit(mount, request, waiting)
      if (waiting?.isOver) return reply.hijack()
      if (waiting === undefined) return refuse(reply, MAY_UPGRADE, mount.gateway.codecs.subprotocols)
      admissions.set(request.raw, admission)
      return undefined
    } catch (error) {
      if (waiting?.isOver) return reply.hijack()
      if (error instanceof Refusal) return refuse(reply, error)
      request.log.error({ err: error }, 'ackord: an upgrade could not be checked')
      return refuse(reply, new Refusal(500, 'INTERNAL', 'the upgrade could not be checked'))
    }
  }

  // Last of the hooks, and not the handler: an app's own @fastify/websocket puts its handler before ours.
  const preHandler = (request: FastifyRequest, reply: FastifyReply, done: () => void): void => {
    const waiting = pending.get(request.raw)
    const admission = admissions.get(request.raw)
    const place = waiting?.place
    if (waiting === undefined || place === undefined || admission === undefined) {
      done()
      return
    }
    reply.hijack()
    reply.raw.detachSocket(reply.raw.socket ?? request.raw.socket)
    pending.delete(request.raw)
    mount.gateway.upgrades.delete(waiting)
    const { compression } = mount.settings
    if (compression !== undefined) keepAcceptableOffers(request.raw, compression)
    const { socket, head } = waiting
    sockets.handleUpgrade(request.raw, socket, head, (ws) => {
      waiting.release()
      const connection = new Connection(mount, ws, socket, admission.upgrade, admission.identity, place)
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
    const waiting = pending.get(request.raw)
    if (waiting !== undefined) {
      waiting.answered()
      reply.raw.shouldKeepAlive = false
    }
    done()
  }
  const onResponse = (request: FastifyRequest, reply: FastifyReply, done: () => void): void => {
    const code = answeredCode(reply)
    // Where the peer is gone there was no answer.
    if (reply.statusCode >= 400 && code !== MAY_UPGRADE.code)
      mount.listeners.refused({ ip: request.ip, status: reply.statusCode, code })
    const waiting = pending.get(request.raw)
    if (waiting !== undefined) endSoon(waiting.socket)
    done()
  }

  scope.route({
    method: 'GET',
    url,
    config: { ...(mount.definition.options.routeConfig as FastifyContextConfig | undefined) },
    onSend,
    onResponse,
    preValidation,
    preHandler,
    errorHandler: (error, _request, reply) => refuse(reply, refusalOf(error, reply)),
    handler: (_request, reply) => reply.code(500).send(),
  })
}

// For who asked by a plain GET.
const MAY_UPGRADE = new Refusal(
  426,
  'UPGRADE_REQUIRED',
  'this is a WebSocket endpoint, and an upgrade would be let in',
)
