/**
 * What would hold a server that closes: connections whose request never comes. Node waits for them without end, as their
 * headers time-out stops with the server. docs/decisions/drain.md.
 */
import { Server as HttpServer, IncomingMessage, ServerResponse } from 'node:http'
import { Server as HttpsServer } from 'node:https'
import type { Server, Socket } from 'node:net'
import type { Duplex } from 'node:stream'

/** The connections of one HTTP/1 server that are not upgraded. */
export class HttpSockets {
  readonly #server: Server
  readonly #all = new Set<Duplex>()
  // By peer: it becomes another socket once the handshake is done.
  readonly #inHandshake = new Map<string, Socket>()
  // One for all sockets.
  readonly #onClose: (this: Duplex) => void

  /** Keeps what `server` accepts from now on; nothing where it speaks HTTP/2. */
  constructor(server: Server) {
    this.#server = server
    const all = this.#all
    this.#onClose = function () {
      all.delete(this)
    }
    if (server instanceof HttpsServer) {
      server.on('connection', this.#onHandshake)
      server.on('secureConnection', this.#onSocket)
    } else if (server instanceof HttpServer) {
      server.on('connection', this.#onSocket)
    }
  }

  /** How many are kept. */
  get size(): number {
    return this.#all.size + this.#inHandshake.size
  }

  /** It is no connection of HTTP any more. */
  forget(socket: Duplex): void {
    this.#all.delete(socket)
    socket.off('close', this.#onClose)
  }

  /** Ends those without a request under way. Only when the server listens no more: nobody would answer what they might still send. */
  cut(): void {
    for (const socket of [...this.#all, ...this.#inHandshake.values()])
      if (!hasRequest(socket)) socket.destroy()
  }

  /** Looks no longer at what the server accepts. */
  stop(): void {
    this.#server.off('connection', this.#onHandshake)
    this.#server.off('connection', this.#onSocket)
    this.#server.off('secureConnection', this.#onSocket)
  }

  readonly #onSocket = (socket: Socket): void => {
    if (this.#all.has(socket)) return
    this.#inHandshake.delete(peerOf(socket))
    this.#all.add(socket)
    socket.on('close', this.#onClose)
  }

  readonly #onHandshake = (socket: Socket): void => {
    const peer = peerOf(socket)
    this.#inHandshake.set(peer, socket)
    socket.once('close', () => {
      if (this.#inHandshake.get(peer) === socket) this.#inHandshake.delete(peer)
    })
  }
}

const peerOf = ({ remoteAddress, remotePort }: Socket): string => `${remoteAddress} ${remotePort}`

/** Whether a request on this socket waits for its answer: it then takes no second response. `request`: any, to save making one. */
export function hasRequest(socket: Duplex, request = new IncomingMessage(socket as Socket)): boolean {
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
