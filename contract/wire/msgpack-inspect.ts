/** Looks through a MessagePack message before anything is made of it. PROTOCOL.md § Subprotocols and codecs. */
import { MAX_DEPTH } from './codec.js'

const utf8 = new TextDecoder('utf-8', { fatal: true })

/** Of an integer of 64 bits, the upper 32 at 2^53. */
const UNSAFE_HIGH = 0x20_0000

/** Of `__proto__` and of `prototype`. */
const UNSAFE_KEY_LENGTH = 9

/**
 * Throws where a message is anything but one value of what JSON holds and bytes: an Error for what is malformed, a RangeError for
 * what is unsafe. Allocates nothing for what is declared, and looks at each byte once. True where some key is `prototype`: then
 * what it stands in has yet to be looked at.
 */
export function inspect(message: Uint8Array): boolean {
  const look = new Look(message)
  look.value(MAX_DEPTH)
  if (look.at !== message.length) throw new Error('bytes behind the value')
  return look.suspect
}

class Look {
  at = 0
  suspect = false
  readonly #message: Uint8Array
  readonly #view: DataView

  constructor(message: Uint8Array) {
    this.#message = message
    this.#view = new DataView(message.buffer, message.byteOffset, message.length)
  }

  /** Passes one value, which may nest `depth` deep. */
  value(depth: number): void {
    const token = this.#uint(1)
    if (token < 0x80 || token >= 0xe0) return
    if (token < 0x90) this.#map(token & 0x0f, depth)
    else if (token < 0xa0) this.#array(token & 0x0f, depth)
    else if (token < 0xc0) this.#text(token & 0x1f)
    else this.#tagged(token, depth)
  }

  #tagged(token: number, depth: number): void {
    switch (token) {
      case 0xc0:
      case 0xc2:
      case 0xc3:
        return
      case 0xc4:
      case 0xc5:
      case 0xc6:
        this.#skip(this.#uint(1 << (token - 0xc4)))
        return
      case 0xca:
      case 0xcb:
        this.#float(token === 0xca ? 4 : 8)
        return
      case 0xcc:
      case 0xcd:
      case 0xce:
        this.#skip(1 << (token - 0xcc))
        return
      case 0xcf:
        if (this.#uint(4) >= UNSAFE_HIGH) throw new Error('no safe integer')
        this.#skip(4)
        return
      case 0xd0:
      case 0xd1:
      case 0xd2:
        this.#skip(1 << (token - 0xd0))
        return
      case 0xd3:
        this.#int64()
        return
      case 0xd9:
      case 0xda:
      case 0xdb:
        this.#text(this.#uint(1 << (token - 0xd9)))
        return
      case 0xdc:
      case 0xdd:
        this.#array(this.#uint(2 << (token - 0xdc)), depth)
        return
      case 0xde:
      case 0xdf:
        this.#map(this.#uint(2 << (token - 0xde)), depth)
        return
      default:
        throw new Error('an extension')
    }
  }

  #array(length: number, depth: number): void {
    if (depth === 0) throw new RangeError('nested too deep')
    for (let i = 0; i < length; i++) this.value(depth - 1)
  }

  #map(length: number, depth: number): void {
    if (depth === 0) throw new RangeError('nested too deep')
    for (let i = 0; i < length; i++) {
      this.#key()
      this.value(depth - 1)
    }
  }

  #key(): void {
    const token = this.#uint(1)
    const from = this.at + (token < 0xc0 ? 0 : 1 << (token - 0xd9))
    if (token >= 0xa0 && token < 0xc0) this.#text(token & 0x1f)
    else if (token >= 0xd9 && token <= 0xdb) this.#text(this.#uint(1 << (token - 0xd9)))
    else throw new Error('a key that is no text')
    if (this.at - from !== UNSAFE_KEY_LENGTH) return
    const key = utf8.decode(this.#message.subarray(from, this.at))
    if (key === '__proto__') throw new RangeError('unsafe key __proto__')
    this.suspect ||= key === 'prototype'
  }

  #text(length: number): void {
    const from = this.at
    this.#skip(length)
    for (let i = from; i < this.at; i++) {
      if ((this.#message[i] ?? 0) < 0x80) continue
      utf8.decode(this.#message.subarray(from, this.at))
      return
    }
  }

  #float(size: 4 | 8): void {
    const { at } = this
    this.#skip(size)
    if (!Number.isFinite(size === 4 ? this.#view.getFloat32(at) : this.#view.getFloat64(at))) {
      throw new Error('no finite number')
    }
  }

  #int64(): void {
    const { at } = this
    this.#skip(8)
    const high = this.#view.getInt32(at)
    const least = -UNSAFE_HIGH
    if (high >= UNSAFE_HIGH || high < least || (high === least && this.#view.getUint32(at + 4) === 0)) {
      throw new Error('no safe integer')
    }
  }

  #uint(size: number): number {
    const { at } = this
    this.#skip(size)
    if (size === 1) return this.#view.getUint8(at)
    return size === 2 ? this.#view.getUint16(at) : this.#view.getUint32(at)
  }

  #skip(length: number): void {
    this.at += length
    if (this.at > this.#message.length) throw new Error('it ends too early')
  }
}
