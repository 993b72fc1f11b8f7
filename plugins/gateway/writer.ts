/**
 * The only place that writes to a socket. What a connection sends within one turn of the event loop leaves in
 * one write; what it may hold back is bounded. docs/decisions/grouped-writes.md lists what must stay true.
 */
import type { Duplex } from 'node:stream'
import { byteLength, headerSize, writeFrame } from './framing.js'
import type { Flushable, Turn } from './turn.js'

/** A message to be framed, or bytes that are whole frames already (shared between the members of a room). */
type Chunk = string | Uint8Array

// Up to here, copying a turn's chunks into one buffer costs less than a vectored write.
const JOIN_BYTES = 16_384

/** What to do with a frame that would exceed the bound. */
export type AtBound = 'drop' | 'close'

/** What a writer needs of its surroundings. */
export interface WriterHost {
  readonly turn: Turn
  /** Bytes a connection may hold back: the socket's own buffer and what waits for the turn's end. */
  readonly maxBuffered: number
  /** A frame that may not be dropped did not fit: the connection has to end (1013). Called once. */
  onOverflow(): void
  /** A frame was dropped at the bound. */
  onDrop(): void
}

/** The bounded outbound buffer of one connection. */
export class Writer implements Flushable {
  /** Set when bytes left since the heartbeat last looked. */
  spoke = false
  readonly #socket: Duplex
  readonly #host: WriterHost
  #chunks: Chunk[] = []
  // The payload's byte length for a message, -1 for bytes that are whole frames.
  #lengths: number[] = []
  #pending = 0
  #scheduled = false
  #open = true

  constructor(socket: Duplex, host: WriterHost) {
    this.#socket = socket
    this.#host = host
  }

  /** Bytes held back: queued for this turn, or not yet taken by the operating system. */
  get buffered(): number {
    return this.#pending + this.#socket.writableLength
  }

  /**
   * Queues one message. False where it was not taken: the writer is closed, or the bound is reached and it was
   * dropped or closed the connection.
   */
  send(payload: string | Uint8Array, atBound: AtBound = 'close'): boolean {
    const length = byteLength(payload)
    return this.#push(payload, length, headerSize(length) + length, atBound)
  }

  /** Queues whole frames as they are; the bytes may be shared and must not change afterwards. */
  sendFrames(frames: Uint8Array, atBound: AtBound = 'close'): boolean {
    return this.#push(frames, -1, frames.byteLength, atBound)
  }

  /** Whether so many more bytes would stay within the bound. */
  fits(bytes: number): boolean {
    return this.buffered + bytes <= this.#host.maxBuffered
  }

  #push(chunk: Chunk, length: number, bytes: number, atBound: AtBound): boolean {
    if (!this.#open) return false
    if (!this.fits(bytes)) {
      if (atBound === 'drop') {
        this.#host.onDrop()
      } else {
        this.#open = false
        this.#clear()
        this.#host.onOverflow()
      }
      return false
    }
    this.#chunks.push(chunk)
    this.#lengths.push(length)
    this.#pending += bytes
    if (!this.#scheduled) {
      this.#scheduled = true
      this.#host.turn.addWriter(this)
    }
    return true
  }

  /** Writes what is queued, now. Called at the turn's end, and before every close. */
  flush(): void {
    this.#scheduled = false
    if (this.#pending === 0) return
    const chunks = this.#chunks
    const lengths = this.#lengths
    const bytes = this.#pending
    this.#clear()
    if (!this.#socket.writable) return
    this.spoke = true
    const [only] = chunks
    if (chunks.length === 1 && lengths[0] === -1) this.#socket.write(only)
    else if (bytes <= JOIN_BYTES) this.#socket.write(join(chunks, lengths, bytes, 0, chunks.length))
    else this.#writeVector(chunks, lengths)
  }

  // Shared bytes are written where they stand; runs of the connection's own messages are joined between them.
  #writeVector(chunks: Chunk[], lengths: number[]): void {
    this.#socket.cork()
    let from = 0
    let bytes = 0
    for (let i = 0; i < chunks.length; i++) {
      const length = lengths[i] ?? -1
      if (length !== -1) {
        bytes += headerSize(length) + length
        continue
      }
      if (i > from) this.#socket.write(join(chunks, lengths, bytes, from, i))
      this.#socket.write(chunks[i])
      from = i + 1
      bytes = 0
    }
    if (chunks.length > from) this.#socket.write(join(chunks, lengths, bytes, from, chunks.length))
    this.#socket.uncork()
  }

  /** Takes nothing more. What is queued still leaves with the next flush. */
  end(): void {
    this.#open = false
  }

  #clear(): void {
    this.#chunks = []
    this.#lengths = []
    this.#pending = 0
  }
}

function join(chunks: Chunk[], lengths: number[], bytes: number, from: number, to: number): Buffer {
  const buffer = Buffer.allocUnsafe(bytes)
  let offset = 0
  for (let i = from; i < to; i++) {
    const chunk = chunks[i] ?? ''
    const length = lengths[i] ?? -1
    if (length !== -1) {
      offset = writeFrame(buffer, offset, chunk, length)
    } else if (typeof chunk !== 'string') {
      buffer.set(chunk, offset)
      offset += chunk.byteLength
    }
  }
  return buffer
}
