/** A client for tests of the protocol: it says what it is told, right or wrong, and waits for answers with a deadline. */
import type { IncomingMessage } from 'node:http'
import { connect as connectTcp, type Socket } from 'node:net'
import { type RawData, WebSocket } from 'ws'
import { msgpackCodec } from '../../contract/wire/msgpack.js'
import { msgpackOf } from './msgpack.js'
import { DEADLINE, Waiters } from './waiters.js'

/** What clients speak that are not told: a file that runs tests in binary sets it before it imports them. */
export const spoken = { subprotocol: 'ackord.v1.json' }

/** What goes with an upgrade. */
export interface ConnectOptions {
  /** Default: what is `spoken`. */
  readonly protocols?: readonly string[]
  readonly headers?: Readonly<Record<string, string>>
  /** Offers permessage-deflate (RFC 7692). Default false. */
  readonly deflate?: boolean
}

/** An answer to an upgrade that was no 101. */
export class UpgradeRefused extends Error {
  readonly status: number
  readonly headers: IncomingMessage['headers']
  readonly body: string
  constructor(response: IncomingMessage, body: string) {
    super(`The upgrade was refused: ${response.statusCode} ${body}`)
    this.name = 'UpgradeRefused'
    this.status = response.statusCode ?? 0
    this.headers = response.headers
    this.body = body
  }
}

/** One message from the server; `frame` where it is an array. */
export interface Received {
  readonly data: string | Buffer
  readonly frame: readonly unknown[] | undefined
}

const open = new Set<RawClient>()

/** One WebSocket. Made by `connect`. */
export class RawClient {
  /** Everything that came, in order. */
  readonly received: Received[] = []
  /** What came and was not taken by `next` yet. */
  readonly #inbox: Received[] = []
  readonly #waiters = new Waiters()
  readonly #websocket: WebSocket
  readonly #pongs = new Set<string>()
  #closed: { readonly code: number; readonly reason: string } | undefined
  #pings = 0
  /** The TCP connection, for bytes that no WebSocket client writes. */
  readonly socket: Socket

  /** Listens to a WebSocket whose connection is `socket`; use `connect`. */
  constructor(websocket: WebSocket, socket: Socket) {
    this.#websocket = websocket
    this.socket = socket
    open.add(this)
    websocket.on('message', (data, binary) => this.#take(data, binary))
    websocket.on('pong', (data) => {
      this.#pongs.add(data.toString())
      this.#waiters.wake()
    })
    websocket.on('close', (code, reason) => {
      open.delete(this)
      this.#closed = { code, reason: reason.toString() }
      this.#waiters.end(`the connection closed with ${code} ${reason}`)
    })
  }

  /** The subprotocol that the server chose. */
  get protocol(): string {
    return this.#websocket.protocol
  }

  /** The extensions that the server granted, by name. */
  get extensions(): string {
    return this.#websocket.extensions
  }

  /** All frames that came, in order. */
  get frames(): Array<readonly unknown[]> {
    return this.received.flatMap(({ frame }) => (frame === undefined ? [] : [frame]))
  }

  /** Sends one message: an array as the subprotocol writes it, a string as text, bytes as binary. */
  send(message: readonly unknown[] | string | Uint8Array): void {
    this.#websocket.send(
      typeof message === 'string' || message instanceof Uint8Array ? message : this.#written(message),
    )
  }

  #written(frame: readonly unknown[]): string | Uint8Array {
    return this.protocol === msgpackCodec.subprotocol ? msgpackOf(frame) : JSON.stringify(frame)
  }

  /** Writes bytes to the TCP connection as they are; `wsFrame` makes WebSocket frames of any kind. */
  write(bytes: string | Uint8Array): void {
    this.socket.write(bytes)
  }

  /** Takes the first frame of this number that came and was not taken before; waits for it. Without a number, any frame. */
  async next(number?: number): Promise<readonly unknown[]> {
    const what = number === undefined ? 'a frame' : `frame ${number}`
    return this.nextWhere(([type]) => number === undefined || type === number, what)
  }

  /** Takes the first frame for which `is` holds. */
  nextWhere(is: (frame: readonly unknown[]) => boolean, what: string): Promise<readonly unknown[]> {
    return this.#waiters.until(
      () => {
        const index = this.#inbox.findIndex(({ frame }) => frame !== undefined && is(frame))
        return index < 0 ? undefined : this.#inbox.splice(index, 1)[0]?.frame
      },
      what,
      () => this.#state(),
    )
  }

  /** Takes the next message, whatever it is. */
  nextMessage(): Promise<string | Buffer> {
    return this.#waiters.until(
      () => this.#inbox.shift()?.data,
      'a message',
      () => this.#state(),
    )
  }

  /** Resolves once the server's WebSocket layer has read everything sent so far: a ping (RFC 6455 § 5.5.2) came back. */
  async ping(): Promise<void> {
    const data = `ping ${++this.#pings}`
    this.#websocket.ping(data)
    await this.#waiters.until(
      () => this.#pongs.has(data) || undefined,
      'a pong',
      () => this.#state(),
    )
  }

  /** Stops reading, as a slow receiver does. Until `resume` nothing is received, not even a close. */
  pause(): void {
    this.#websocket.pause()
  }

  /** Reads on. */
  resume(): void {
    this.#websocket.resume()
  }

  /** Begins the closing handshake. */
  close(code = 1000, reason = ''): void {
    this.#websocket.close(code, reason)
  }

  /** Ends the TCP connection without a handshake: a FIN, or with `reset` an RST. */
  abort({ reset = false }: { readonly reset?: boolean } = {}): void {
    if (reset) this.socket.resetAndDestroy()
    else this.socket.destroy()
  }

  /** How it ended: the server's code and reason, or 1006 where there was no handshake. */
  closed(): Promise<{ readonly code: number; readonly reason: string }> {
    return this.#waiters.until(
      () => this.#closed,
      'the connection to close',
      () => this.#state(),
    )
  }

  #take(data: RawData, binary: boolean): void {
    const bytes = Array.isArray(data) ? Buffer.concat(data) : Buffer.isBuffer(data) ? data : Buffer.from(data)
    const message: Received = binary
      ? { data: bytes, frame: frameOf(() => msgpackCodec.parse(bytes)) }
      : { data: bytes.toString(), frame: frameOf(() => JSON.parse(bytes.toString())) }
    this.received.push(message)
    this.#inbox.push(message)
    this.#waiters.wake()
  }

  #state(): string {
    const texts = this.received.slice(-10).map(({ data }) => data.toString().slice(0, 200))
    return `Received ${this.received.length} messages, the last: ${texts.join(' ') || 'none'}`
  }
}

function frameOf(read: () => unknown): readonly unknown[] | undefined {
  try {
    const value = read()
    return Array.isArray(value) ? value : undefined
  } catch {
    // Not a frame: the test finds it as a message.
    return undefined
  }
}

/** Opens a WebSocket. Rejects with an UpgradeRefused, or with the error of the connection. */
export function connect(url: string | URL, options: ConnectOptions = {}): Promise<RawClient> {
  const { hostname, port } = new URL(url)
  const socket = connectTcp({ host: hostname.replace(/^\[|\]$/g, ''), port: Number(port || 80) })
  const websocket = new WebSocket(url, [...(options.protocols ?? [spoken.subprotocol])], {
    createConnection: () => socket,
    headers: { ...options.headers },
    perMessageDeflate: options.deflate ?? false,
    handshakeTimeout: DEADLINE,
  })
  const client = new RawClient(websocket, socket)
  return new Promise((resolve, reject) => {
    websocket.once('open', () => resolve(client))
    // Later errors end in a close, which is what a test waits for.
    websocket.on('error', reject)
    websocket.once('unexpected-response', (_request, response) => {
      readBody(response)
        .then((body) => reject(new UpgradeRefused(response, body)), reject)
        .finally(() => websocket.terminate())
    })
  })
}

async function readBody(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  response.setTimeout(DEADLINE, () => response.destroy(new Error('The refusal did not end in time')))
  for await (const chunk of response) chunks.push(Buffer.from(chunk))
  return Buffer.concat(chunks).toString()
}

/** Tries to open a WebSocket and resolves with the refusal; rejects where it was not refused. */
export async function refused(url: string | URL, options: ConnectOptions = {}): Promise<UpgradeRefused> {
  const outcome: unknown = await connect(url, options).catch((error: unknown) => error)
  if (outcome instanceof UpgradeRefused) return outcome
  if (!(outcome instanceof RawClient)) throw outcome
  outcome.abort()
  throw new Error('The upgrade was not refused')
}

/** Ends every connection that is still open: for `afterEach`. */
export function abortAll(): void {
  for (const client of open) client.abort()
}
