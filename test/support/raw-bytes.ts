/** Bytes below the protocol: handshakes, WebSocket frames and TCP connections as no client makes them. */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { Waiters } from './waiters.js'

/** The opcodes of RFC 6455 § 5.2. */
export const OPCODE = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const

/** A WebSocket frame, right unless told otherwise (RFC 6455 § 5.2). */
export interface FrameParts {
  /** 0 to 15. Default text. */
  readonly opcode?: number
  readonly payload?: string | Uint8Array
  /** Default true. */
  readonly fin?: boolean
  /** The three reserved bits, 0 to 7. Default 0. */
  readonly rsv?: number
  /** Clients must mask: default true, with a key that is not zero. */
  readonly mask?: boolean
  /** What the header says the length is; default the length of the payload. */
  readonly length?: number | bigint
}

const MASK_KEY = Buffer.from([0x5a, 0xc3, 0x0f, 0x91])

/** The bytes of one WebSocket frame. */
export function wsFrame({ opcode = OPCODE.text, payload = '', ...more }: FrameParts = {}): Buffer {
  const body = Buffer.from(payload)
  const { fin = true, rsv = 0, mask = true, length = body.length } = more
  const size = BigInt(length)
  const extended = Buffer.alloc(size < 126n ? 0 : size < 65_536n ? 2 : 8)
  if (extended.length === 2) extended.writeUInt16BE(Number(size))
  if (extended.length === 8) extended.writeBigUInt64BE(size)
  const shortLength = extended.length === 0 ? Number(size) : extended.length === 2 ? 126 : 127
  const header = Buffer.from([(fin ? 0x80 : 0) | (rsv << 4) | opcode, (mask ? 0x80 : 0) | shortLength])
  if (!mask) return Buffer.concat([header, extended, body])
  const masked = body.map((byte, index) => byte ^ (MASK_KEY[index % 4] ?? 0))
  return Buffer.concat([header, extended, MASK_KEY, masked])
}

/** The text of an upgrade (RFC 6455 § 4.1). `headers` replace the right ones by name; `undefined` leaves one out. */
export function upgradeRequest(
  url: string | URL,
  headers: Readonly<Record<string, string | undefined>> = {},
  requestLine?: string,
): string {
  const { host, pathname, search } = new URL(url)
  const all = new Map<string, string | undefined>([
    ['host', host],
    ['connection', 'Upgrade'],
    ['upgrade', 'websocket'],
    ['sec-websocket-version', '13'],
    ['sec-websocket-key', 'dGhlIHNhbXBsZSBub25jZQ=='],
    ['sec-websocket-protocol', 'ackord.v1.json'],
  ])
  for (const [name, value] of Object.entries(headers)) all.set(name.toLowerCase(), value)
  const lines = [...all].flatMap(([name, value]) => (value === undefined ? [] : [`${name}: ${value}`]))
  return [requestLine ?? `GET ${pathname}${search} HTTP/1.1`, ...lines, '', ''].join('\r\n')
}

/** A TCP connection that writes what it is told and keeps what it gets. Made by `connectBytes`. */
export class RawSocket {
  readonly socket: Socket
  readonly #chunks: Buffer[] = []
  readonly #waiters = new Waiters()

  /** Listens to a connected socket; use `connectBytes`. */
  constructor(socket: Socket) {
    this.socket = socket
    socket.on('data', (chunk) => {
      this.#chunks.push(chunk)
      this.#waiters.wake()
    })
    // A reset is a way to end like any other here; a close follows.
    socket.on('error', () => {})
    socket.on('close', () => this.#waiters.end('the connection ended'))
  }

  /** Everything that came. */
  get received(): Buffer {
    return Buffer.concat(this.#chunks)
  }

  /** Writes as it is; a string as UTF-8. */
  write(bytes: string | Uint8Array): void {
    this.socket.write(bytes)
  }

  /** Resolves with everything that came once that has this text, bytes read as latin1. */
  until(text: string): Promise<string> {
    const now = () => this.received.toString('latin1')
    return this.#waiters.until(
      () => (now().includes(text) ? now() : undefined),
      JSON.stringify(text),
      () => `Received ${this.received.length} bytes: ${JSON.stringify(now().slice(-500))}`,
    )
  }

  /** Resolves with everything that came once the connection has ended. */
  ended(): Promise<Buffer> {
    return this.#waiters.until(
      () => (this.socket.closed ? this.received : undefined),
      'the connection to end',
      () => `Received ${this.received.length} bytes`,
    )
  }

  /** Ends the connection. */
  destroy(): void {
    this.socket.destroy()
  }
}

/** Opens a TCP connection to the host and port of a URL. Rejects with the error of the connection. */
export async function connectBytes(url: string | URL): Promise<RawSocket> {
  const { hostname, port } = new URL(url)
  const socket = connect({ host: hostname.replace(/^\[|\]$/g, ''), port: Number(port || 80) })
  await once(socket, 'connect')
  return new RawSocket(socket)
}
