import { Duplex, type Readable } from 'node:stream'
import { setImmediate } from 'node:timers'
import { delivered } from './settle.js'

/** Bytes that are taken before the reader wants them, as the kernel's buffers take them. */
const WINDOW = 65_536

/**
 * One direction of a connection in memory. What was written in one turn of the event loop reaches the reader together, in a
 * later turn. Holds 64 KiB and the chunk that went over it; a further write waits for the reader.
 */
export class Pipe {
  #chunks: Buffer[] = []
  #bytes = 0
  #ended = false
  #abandoned = false
  #stalled = false
  #scheduled = false
  #reader: Readable | undefined
  #written: (() => void) | undefined

  /** Takes bytes; calls `written` when it can take more. What a closed reader cannot get any more is dropped. */
  write(chunk: Buffer, written: () => void): void {
    if (this.#abandoned) {
      written()
      return
    }
    this.#chunks.push(chunk)
    this.#bytes += chunk.length
    if (this.#bytes <= WINDOW) written()
    else this.#written = written
    this.#schedule()
  }

  /** No more bytes: the reader ends behind those under way. */
  end(): void {
    this.#ended = true
    this.#schedule()
  }

  /** The reader wants bytes. */
  want(reader: Readable): void {
    this.#reader = reader
    this.#schedule()
  }

  /** The reader is gone. */
  abandon(): void {
    this.#abandoned = true
    this.#reader = undefined
    this.#chunks = []
    this.#written?.()
  }

  /** Holds everything, the end too. */
  stall(): void {
    this.#stalled = true
  }

  /** Lets what was held go on. */
  resume(): void {
    this.#stalled = false
    this.#schedule()
  }

  #schedule(): void {
    if (this.#scheduled || (this.#chunks.length === 0 && !this.#ended)) return
    if (this.#stalled || this.#reader === undefined) return
    this.#scheduled = true
    // Never within the write: a peer that is called back by its own send is what no network does.
    setImmediate(() => {
      this.#scheduled = false
      this.#deliver()
    })
  }

  #deliver(): void {
    const reader = this.#reader
    if (this.#stalled || reader === undefined) return
    delivered()
    this.#reader = undefined
    if (this.#chunks.length > 0) {
      const bytes = Buffer.concat(this.#chunks)
      this.#chunks = []
      this.#bytes = 0
      const written = this.#written
      this.#written = undefined
      reader.push(bytes)
      written?.()
    } else {
      reader.push(null)
    }
  }
}

/** One end of a connection in memory: a Duplex with what http, Fastify and ws use of a `net.Socket`. */
export class End extends Duplex {
  readonly remoteAddress = '127.0.0.1'
  readonly remotePort: number
  readonly #inbound: Pipe
  readonly #outbound: Pipe

  constructor(inbound: Pipe, outbound: Pipe, remotePort: number) {
    super()
    this.#inbound = inbound
    this.#outbound = outbound
    this.remotePort = remotePort
  }

  override _read(): void {
    this.#inbound.want(this)
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, written: () => void): void {
    this.#outbound.write(chunk, written)
  }

  override _final(done: () => void): void {
    this.#outbound.end()
    done()
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#inbound.abandon()
    this.#outbound.end()
    done(error)
  }

  /** Ends, and closes when what was written has left. */
  destroySoon(): void {
    this.end(() => this.destroy())
  }

  // A connection in memory has no timeout, no Nagle's algorithm, and keeps no process alive.
  readonly setTimeout = (): this => this
  readonly setNoDelay = (): this => this
  readonly setKeepAlive = (): this => this
  readonly ref = (): this => this
  readonly unref = (): this => this
}
