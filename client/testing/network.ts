import type { EventEmitter } from 'node:events'
import http from 'node:http'
import https from 'node:https'
import { type Duplex, Readable } from 'node:stream'
import { setImmediate } from 'node:timers'
import type { FetchLike, WebSocketClass } from '../types.js'
import { End, Pipe } from './pipe.js'
import { delivered, settle } from './settle.js'

/** One connection of a test network. */
export interface NetworkConnection {
  readonly url: string
  /** Whether its bytes are held. */
  readonly stalled: boolean
  /** Resets it: both sides see an abnormal end (1006), bytes under way are lost. */
  cut(): void
  /** Holds the bytes of both directions, and nothing closes: a half-open connection. */
  stall(): void
  /** Lets what was held go on, in order. */
  resume(): void
}

/** The network between an app and its clients, in a test's hand. */
export interface Network {
  /** For the client's option of this name. Any host will do; path and query choose the route. */
  readonly WebSocket: WebSocketClass
  /** For the client's option of this name: a GET that goes where new connections go, so that a refused client learns why. */
  readonly fetch: FetchLike
  /**
   * New connections go to this app from now on, as behind a load balancer in a rolling restart; those there are stay where they are.
   * Waits for `app.ready()`, and rejects as `createNetwork` does.
   */
  moveTo(app: NetworkApp): Promise<void>
  /** Those that at least one side still holds open, oldest first: a picture, not kept up to date. */
  readonly connections: readonly NetworkConnection[]
  /** Resets all connections and refuses new ones (an `error`, then 1006) until `restore`. */
  cut(): void
  /** Takes new connections again. */
  restore(): void
  /** Stalls all connections, and those made from now on: their opening hangs. */
  stall(): void
  /** Resumes all connections. */
  resume(): void
  /**
   * Resolves when everything sent has arrived and was answered; see `advanceAsync` for time. What is stalled is at rest. Not seen:
   * real timers, real sockets and the thread pool of your handlers; await those yourself. Rejects after 10,000 turns of the loop.
   */
  settle(): Promise<void>
}

/** Options of `createNetwork`. */
export interface NetworkOptions {
  /** Headers of each upgrade that a browser would send by itself, such as `origin` and `cookie`. */
  readonly headers?: Readonly<Record<string, string>>
}

/** What the network uses of a Fastify app. */
export interface NetworkApp {
  readonly server: EventEmitter
  ready(): PromiseLike<unknown>
}

/**
 * Joins clients to a Fastify app in memory: no port is opened, and Node's HTTP parser, the router, its hooks and the WebSocket
 * server run as they do in production (without compression, which would leave the event loop). Waits for `app.ready()`.
 *
 * Rejects where the `ws` package is not installed, the app failed to start, or it speaks HTTP/2 (which has no upgrade). Once the app
 * is closed, connections end with an `error` (`Unexpected server response: 503`) and 1006: make a network for each app.
 *
 * @example
 * const network = await createNetwork(app)
 * const chat = createChat('ws://test/chat', { clock, WebSocket: network.WebSocket })
 * const sent = chat.calls.message.send({ channelId: 'a', text: 'hi' })
 * network.cut()                         // in flight
 * network.restore()
 * await clock.advanceAsync(30_000)      // reconnects
 * await sent
 */
export async function createNetwork(app: NetworkApp, options: NetworkOptions = {}): Promise<Network> {
  const { WebSocket } = await import('ws').catch((cause: unknown) => {
    throw new Error('ackord/testing needs the ws package: npm install --save-dev ws', { cause })
  })
  let server = await serverOf(app)

  const live = new Set<NetworkConnection>()
  let refusing = false
  let stalled = false
  let port = 49_152

  const connect = (url: string): Duplex => {
    const up = new Pipe()
    const down = new Pipe()
    port++
    const client = new End(down, up, port)
    if (refusing) {
      // Later, as a refusal comes: by then somebody listens for the error.
      setImmediate(() => {
        delivered()
        client.destroy(socketError('ECONNREFUSED', 'connect'))
      })
      return client
    }
    const secure = server instanceof https.Server
    const served = Object.assign(new End(up, down, port), secure && { encrypted: true })
    const connection = link(url, [client, served], [up, down])
    if (stalled) connection.stall()
    live.add(connection)
    for (const end of [client, served]) {
      end.once('close', () => client.closed && served.closed && live.delete(connection))
    }
    server.emit(secure ? 'secureConnection' : 'connection', served)
    return client
  }

  const { headers } = options
  return {
    WebSocket: class extends WebSocket {
      constructor(url: string, protocols: string[]) {
        const createConnection = () => connect(url)
        super(url, protocols, { perMessageDeflate: false, createConnection, ...(headers && { headers }) })
        // A browser's socket does not throw where nobody listens; `close` follows and tells.
        this.on('error', () => {})
      }
    },
    fetch: (url, { signal }) =>
      new Promise((resolve, reject) => {
        // As text: Node's own URL option would look at the protocol, and connections in memory have none.
        const { host, pathname, search } = new URL(url)
        http
          .get({
            ...{ host, path: pathname + search, signal, headers: { host, ...headers } },
            createConnection: () => connect(url),
          })
          .on('error', reject)
          .on('response', (response) => {
            resolve({ status: response.statusCode ?? 0, body: Readable.toWeb(response) })
          })
      }),
    async moveTo(next) {
      server = await serverOf(next)
    },
    get connections() {
      return [...live]
    },
    cut() {
      refusing = true
      for (const connection of live) connection.cut()
    },
    restore() {
      refusing = false
    },
    stall() {
      stalled = true
      for (const connection of live) connection.stall()
    },
    resume() {
      stalled = false
      for (const connection of live) connection.resume()
    },
    settle,
  }
}

async function serverOf(app: NetworkApp): Promise<EventEmitter> {
  const { server } = app
  if (!(server instanceof https.Server || server instanceof http.Server)) {
    throw new TypeError('createNetwork needs a Fastify app over HTTP/1.1: HTTP/2 has no WebSocket upgrade')
  }
  await app.ready()
  return server
}

function link(url: string, ends: readonly End[], pipes: readonly Pipe[]): NetworkConnection {
  let stalled = false
  return {
    url,
    get stalled() {
      return stalled
    },
    cut() {
      for (const end of ends) end.destroy(socketError('ECONNRESET', 'read'))
    },
    stall() {
      stalled = true
      for (const pipe of pipes) pipe.stall()
    },
    resume() {
      stalled = false
      for (const pipe of pipes) pipe.resume()
    },
  }
}

/** An error as `net` makes it. */
const socketError = (code: string, syscall: string): Error =>
  Object.assign(new Error(`${syscall} ${code} (test network)`), { code, syscall })
