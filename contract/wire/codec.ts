/**
 * Bytes to checked frames and back. The check is the same for every codec; a codec only parses and writes.
 * PROTOCOL.md § Codecs.
 */
import { CLOSE, type CloseCode } from './close-codes.js'
import {
  CLIENT_FRAMES,
  type ClientFrame,
  type FrameSpec,
  frameChecker,
  MALFORMED,
  SERVER_FRAMES,
  type ServerFrame,
} from './frames.js'

/** How deep a frame may nest, counted from its array. */
export const MAX_DEPTH = 64

/**
 * Reads and writes one subprotocol. `parse` throws on malformed data, and a RangeError for what is unsafe; what it returns
 * is not yet checked.
 */
export interface Codec {
  /** The WebSocket subprotocol (RFC 6455 § 1.9). */
  readonly subprotocol: string
  /** Whether messages are binary; a message of the other kind is a violation. */
  readonly binary: boolean
  parse(data: string | Uint8Array): unknown
  encode(frame: ClientFrame | ServerFrame): string | Uint8Array
}

// A text shorter than this cannot nest too deep, and one without these words hides no key of a prototype.
const HARMLESS_LENGTH = 2 * MAX_DEPTH
const SUSPECT = /__proto__|prototype|\\u/

/** The text codec: one JSON array a message (RFC 8259). Unsafe keys and depth are refused while parsing. */
export const jsonCodec: Codec = {
  subprotocol: 'ackord.v1.json',
  binary: false,
  parse(data) {
    const text = data as string
    const value: unknown = JSON.parse(text)
    if (text.length > HARMLESS_LENGTH || SUSPECT.test(text)) refuseUnsafe(value, MAX_DEPTH)
    return value
  },
  encode: (frame) => JSON.stringify(frame),
}

/**
 * Throws a RangeError where a value nests too deep or carries `__proto__`, or `constructor` with a
 * `prototype`, as own keys: whoever merges such a value would change a prototype.
 */
export function refuseUnsafe(value: unknown, depth: number): void {
  // Bytes are a scalar: their entries would be one for each byte.
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return
  if (depth === 0) throw new RangeError('nested too deep')
  if (Array.isArray(value)) {
    for (const element of value) refuseUnsafe(element, depth - 1)
    return
  }
  for (const [key, element] of Object.entries(value)) {
    if (key === '__proto__' || (key === 'constructor' && hasPrototype(element))) {
      throw new RangeError(`unsafe key ${key}`)
    }
    refuseUnsafe(element, depth - 1)
  }
}

const hasPrototype = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && Object.hasOwn(value, 'prototype')

// Codes, not rows of the table: a client carries only what it reads by.
const UNSUPPORTED_DATA = 1003
const UNSAFE = 4504

/** Reads one message: a checked frame, `undefined` for one that must be ignored, or the code to close with. */
export type Reader<F> = (data: string | Uint8Array) => F | number | undefined

function reader<F>(codec: Codec, specs: Readonly<Record<string, FrameSpec>>): Reader<F> {
  const check = frameChecker(specs)
  return (data) => {
    if ((typeof data !== 'string') !== codec.binary) return UNSUPPORTED_DATA
    let value: unknown
    try {
      value = codec.parse(data)
    } catch (error) {
      return error instanceof RangeError ? UNSAFE : MALFORMED
    }
    const verdict = check(value)
    if (typeof verdict === 'number') return verdict
    return verdict === 'ok' ? (value as F) : undefined
  }
}

/** The client's side: reads what servers send. */
export const serverFrameReader = (codec: Codec): Reader<ServerFrame> => reader(codec, SERVER_FRAMES)

/** A peer broke the protocol: the connection closes with this code. */
export class Violation extends Error {
  readonly close: CloseCode
  constructor(close: CloseCode) {
    super(close.reason)
    this.name = 'Violation'
    this.close = close
  }
}

/** Decodes one message; `undefined` means an unknown frame that must be ignored. Throws a Violation. */
export type Decoder<F> = (data: string | Uint8Array) => F | undefined

function decoder<F>(codec: Codec, specs: Readonly<Record<string, FrameSpec>>): Decoder<F> {
  const read = reader<F>(codec, specs)
  return (data) => {
    const result = read(data)
    if (typeof result !== 'number') return result
    throw new Violation(Object.values(CLOSE).find(({ code }) => code === result) ?? CLOSE.MALFORMED)
  }
}

/** The server's side: decodes what clients send. */
export const clientFrameDecoder = (codec: Codec): Decoder<ClientFrame> => decoder(codec, CLIENT_FRAMES)
/** Decodes what servers send, as `serverFrameReader` reads it. */
export const serverFrameDecoder = (codec: Codec): Decoder<ServerFrame> => decoder(codec, SERVER_FRAMES)
