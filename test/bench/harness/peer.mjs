/** What a peer is: a server, and how its clients speak. One file per peer in peers/. */
import { existsSync } from 'node:fs'
import { createServer } from 'node:http'
import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'

/**
 * How the clients of a peer speak, as texts; the load generator makes the frames.
 * @typedef {object} Dialect
 * @property {string} path of the upgrade, with its query
 * @property {Record<string, string>} headers of the upgrade, beside those of every WebSocket
 * @property {(text: string | undefined, index: number) => { send?: string[], open?: boolean }} open
 *   called with undefined right after the 101, then with each text until it says `open`; `index` counts the
 *   connections and is different for each
 * @property {Record<string, string>} heartbeats the server's text (under 16 bytes) → the reply
 */

/**
 * @typedef {object} RpcDialect
 * @property {(id: number, message: object) => string} request
 * @property {number} idAt where the six digits of the id stand in an answer
 * @property {(text: string) => { id: number, value: unknown } | undefined} answer undefined: it is none
 */

/**
 * @typedef {object} FanoutDialect
 * @property {(text: string) => { id: number, value: unknown } | undefined} publication undefined: it is none
 * @property {(data: Buffer, end: number) => number} [alike] where that ends which is the same bytes whenever an id comes again; `end`
 *   where nothing is said
 */

/**
 * @typedef {object} Server
 * @property {number} port on 127.0.0.1
 * @property {(payload: object) => void} [publish] fan-out and Redis only: to all members
 */

/**
 * @template T
 * @typedef {object} Part
 * @property {(redis: string) => Promise<Server>} serve listens on a free port of 127.0.0.1; `redis` is the socket file of the server that
 *   two of them share, where there is one
 * @property {Dialect & T} dialect
 */

/**
 * @typedef {object} Peer
 * @property {string} name
 * @property {string[]} [needs] what must be installed in test/bench for its server
 * @property {boolean} [build] whether its server needs the package built
 * @property {Part<RpcDialect>} [rpc]
 * @property {Part<FanoutDialect>} [fanout]
 * @property {Part<FanoutDialect>} [redis] two such servers, where what one publishes reaches the members at the other
 */

/** @typedef {'rpc' | 'fanout' | 'redis'} SuiteName */

/** Resolves from the root of the checkout: every peer has the very `ws` that ackord has. */
export const fromRoot = createRequire(new URL('../../../package.json', import.meta.url))

/**
 * The file of a peer: by its name in peers/, or the path of any other. Throws where there is none.
 * @param {string} name
 */
export function peerFile(name) {
  const url = /[/\\]/.test(name) ? pathToFileURL(name) : new URL(`../peers/${name}.mjs`, import.meta.url)
  if (!existsSync(url)) throw new Error(`no peer: ${name}`)
  return url.href
}

/**
 * Loads a peer.
 * @param {string} file
 * @returns {Promise<Peer>}
 */
export const loadPeer = async (file) => (await import(file)).default

/**
 * Listens on a free port of 127.0.0.1 and gives the port.
 * @param {import('node:net').Server} server
 * @returns {Promise<number>}
 */
export function listen(server) {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', 1024, () => {
      const address = server.address()
      if (typeof address === 'object' && address !== null) resolve(address.port)
    })
  })
}

/**
 * A server of ws alone, as ws makes it by default.
 * @param {(socket: import('ws').WebSocket) => void} onConnection
 */
export async function listenWs(onConnection) {
  const http = createServer()
  /** @type {import('ws').WebSocketServer} */
  const webSockets = new (fromRoot('ws').WebSocketServer)({ server: http })
  webSockets.on('connection', (socket) => {
    socket.on('error', () => socket.terminate())
    onConnection(socket)
  })
  return { port: await listen(http), clients: webSockets.clients }
}
