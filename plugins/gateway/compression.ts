/** permessage-deflate (RFC 7692), where a namespace asks for it: bounded, and through `ws`, which compresses. docs/compression.md. */
import type { IncomingMessage } from 'node:http'
import { type ServerOptions, WebSocket } from 'ws'
import { AckordError } from '../errors.js'
import { payloadsOf } from './framing.js'
import { type Drainable, FRAMED, type Outlet, type Queued } from './outlet.js'

/** How a namespace compresses. What is larger costs more memory for each connection: docs/compression.md. */
export interface CompressionOptions {
  /** Messages of fewer bytes leave as they are. Default 1,024; 0 to 1,048,576. */
  readonly threshold?: number
  /** zlib's level. Default 3; 1 to 9. */
  readonly level?: number
  /** zlib's memory level. Default 5; 1 to 9. */
  readonly memLevel?: number
  /** Base-two logarithm of the window of what the server sends. Default 11; 9 to 15. */
  readonly windowBits?: number
}

/** With its defaults filled in. */
export type Compression = Required<CompressionOptions>

const BOUNDS: Readonly<Record<keyof Compression, readonly [fallback: number, least: number, most: number]>> =
  {
    threshold: [1024, 0, 1_048_576],
    level: [3, 1, 9],
    memLevel: [5, 1, 9],
    windowBits: [11, 9, 15],
  }

/** (De)compressions at a time in this process; `ws` has one limit for all servers, that of the first. */
const CONCURRENCY = 10
/** Bytes zlib hands out at a time; each compressor keeps a buffer of that size. */
const CHUNK_BYTES = 4096
/** Bytes with `ws` from which on a peer counts as slow. */
const FULL_BYTES = 65_536

/** Fills in defaults; `undefined` where nothing is compressed. Throws ACKORD_INVALID_OPTION. */
export function resolveCompression(
  option: boolean | CompressionOptions | undefined,
): Compression | undefined {
  if (option === undefined || option === false) return undefined
  if (option !== true && (typeof option !== 'object' || option === null))
    throw new AckordError('ACKORD_INVALID_OPTION', 'compression: true, false or an object')
  const given: Readonly<Record<string, unknown>> = option === true ? {} : { ...option }
  for (const name of Object.keys(given)) {
    if (!Object.hasOwn(BOUNDS, name))
      throw invalid(name, `no such option; there are ${Object.keys(BOUNDS).join(', ')}`)
  }
  const number = (name: keyof Compression): number => {
    const [fallback, least, most] = BOUNDS[name]
    const value = given[name] ?? fallback
    if (typeof value === 'number' && Number.isSafeInteger(value) && value >= least && value <= most)
      return value
    throw invalid(name, `an integer from ${least} to ${most}, not ${String(value)}`)
  }
  return {
    threshold: number('threshold'),
    level: number('level'),
    memLevel: number('memLevel'),
    windowBits: number('windowBits'),
  }
}

const invalid = (name: string, why: string): AckordError =>
  new AckordError('ACKORD_INVALID_OPTION', `compression.${name}: ${why}`)

/**
 * What `ws` is told. Without context takeover each message stands alone, so that a compressor keeps no more than its window. What a client
 * sends may not inflate beyond `maxPayload` of the server (1009).
 */
export function deflateOptions(compression: Compression | undefined): ServerOptions['perMessageDeflate'] {
  if (compression === undefined) return false
  const { threshold, level, memLevel, windowBits } = compression
  return {
    serverNoContextTakeover: true,
    clientNoContextTakeover: true,
    serverMaxWindowBits: windowBits,
    concurrencyLimit: CONCURRENCY,
    threshold,
    zlibDeflateOptions: { level, memLevel, chunkSize: CHUNK_BYTES },
    zlibInflateOptions: { chunkSize: CHUNK_BYTES },
  }
}

/**
 * Leaves those offers in an upgrade that `ws` can accept, or none: a connection is then not compressed (RFC 7692 § 5), where `ws` would
 * refuse the upgrade.
 */
export function keepAcceptableOffers(request: IncomingMessage, { windowBits }: Compression): void {
  const offers = request.headers['sec-websocket-extensions']?.split(',') ?? []
  // `ws` refuses a value that begins with a space.
  const acceptable = offers.map((offer) => offer.trim()).filter((offer) => isAcceptable(offer, windowBits))
  if (acceptable.length > 0) request.headers['sec-websocket-extensions'] = acceptable.join(',')
  else delete request.headers['sec-websocket-extensions']
}

const PARAMETERS =
  /^(server_no_context_takeover|client_no_context_takeover|client_max_window_bits|(?:client|server)_max_window_bits="?(8|9|1[0-5])"?)$/

function isAcceptable(offer: string, windowBits: number): boolean {
  const [extension, ...parameters] = offer.split(';').map((part) => part.trim())
  if (extension !== 'permessage-deflate') return false
  const names = new Set(parameters.map((parameter) => parameter.split('=', 1)[0]))
  if (names.size !== parameters.length) return false
  return parameters.every((parameter) => {
    const match = PARAMETERS.exec(parameter)
    return match !== null && !(parameter.startsWith('server_max') && Number(match[2]) < windowBits)
  })
}

/** Whether the connection was granted compression. */
export const isCompressed = (socket: WebSocket): boolean => socket.extensions.includes('permessage-deflate')

/** Everything goes through `ws` on a compressed connection, which keeps messages and its control frames in order. */
export class DeflateOutlet implements Outlet {
  readonly #socket: WebSocket
  readonly #threshold: number
  #waiter: Drainable | undefined

  constructor(socket: WebSocket, { threshold }: Compression) {
    this.#socket = socket
    this.#threshold = threshold
  }

  /** Before compression for what `ws` still has to compress. */
  get buffered(): number {
    return this.#socket.bufferedAmount
  }

  get isFull(): boolean {
    return this.#socket.bufferedAmount >= FULL_BYTES
  }

  get isClosed(): boolean {
    return this.#socket.readyState !== WebSocket.OPEN
  }

  write(batch: readonly Queued[]): void {
    for (const { chunk, length } of batch) {
      if (typeof chunk === 'string') this.#send(chunk, length, false)
      else if (length !== FRAMED) this.#send(chunk, length, true)
      // Shared frames are written once for everybody; here only their payloads are wanted.
      else
        for (const { payload, binary } of payloadsOf(chunk)) this.#send(payload, payload.byteLength, binary)
    }
  }

  #send(payload: string | Uint8Array, length: number, binary: boolean): void {
    this.#socket.send(payload, { binary, compress: length >= this.#threshold }, this.#sent)
  }

  // After an error too: the connection then ends, and whoever waits finds it closed.
  readonly #sent = (): void => {
    const waiter = this.#waiter
    if (waiter === undefined || this.isFull) return
    this.#waiter = undefined
    waiter.drained()
  }

  awaitDrain(waiter: Drainable): void {
    this.#waiter = waiter
  }
}
