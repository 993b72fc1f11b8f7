/** Where a writer's output goes: straight to the socket. plugins/gateway/compression.ts has the one for compressed connections. */
import type { Duplex } from 'node:stream'
import { writeFrame } from './framing.js'

/** A message to be framed, or bytes that are whole frames already (shared between the members of a room). */
export type Chunk = string | Uint8Array

/** Something to write. */
export interface Queued {
  readonly chunk: Chunk
  /** The payload's byte length of a message, `FRAMED` for bytes that are whole frames. */
  readonly length: number
  /** On the wire, headers included. */
  readonly bytes: number
}

/** The length of a chunk that is whole frames. */
export const FRAMED = -1

/** Told once that an outlet takes more. */
export interface Drainable {
  drained(): void
}

/** What a writer writes to. */
export interface Outlet {
  /** Bytes that were written and are not yet with the operating system. */
  readonly buffered: number
  /** Bytes that are written now would only wait: the peer does not keep up. */
  readonly isFull: boolean
  /** Nothing can be written any more. */
  readonly isClosed: boolean
  /** Writes these, in order; `bytes` is the sum of theirs. */
  write(batch: readonly Queued[], bytes: number): void
  /** Calls `waiter.drained` once it is no longer full, or never where it closes before. One waiter; only while full. */
  awaitDrain(waiter: Drainable): void
}

// Up to here, copying a turn's chunks into one buffer costs less than a vectored write.
const JOIN_BYTES = 16_384

/** Frames, and writes them to the socket that came with the upgrade. */
export class SocketOutlet implements Outlet {
  readonly #socket: Duplex

  constructor(socket: Duplex) {
    this.#socket = socket
  }

  get buffered(): number {
    return this.#socket.writableLength
  }

  get isFull(): boolean {
    return this.#socket.writableNeedDrain
  }

  get isClosed(): boolean {
    return !this.#socket.writable
  }

  write(batch: readonly Queued[], bytes: number): void {
    const [first] = batch
    if (batch.length === 1 && first?.length === FRAMED) this.#socket.write(first.chunk)
    else if (bytes <= JOIN_BYTES) this.#socket.write(join(batch, bytes))
    else this.#writeVector(batch)
  }

  // Shared bytes are written where they stand; runs of the connection's own messages are joined between them.
  #writeVector(batch: readonly Queued[]): void {
    this.#socket.cork()
    let from = 0
    let bytes = 0
    for (const [i, queued] of batch.entries()) {
      if (queued.length !== FRAMED) {
        bytes += queued.bytes
        continue
      }
      if (i > from) this.#socket.write(join(batch.slice(from, i), bytes))
      this.#socket.write(queued.chunk)
      from = i + 1
      bytes = 0
    }
    if (batch.length > from) this.#socket.write(join(batch.slice(from), bytes))
    this.#socket.uncork()
  }

  awaitDrain(waiter: Drainable): void {
    if (!waiters.has(this.#socket)) this.#socket.once('drain', onDrain)
    waiters.set(this.#socket, waiter)
  }
}

// A listener for all, and only while a peer is slow: a closure per connection would live as long as the connection.
const waiters = new WeakMap<Duplex, Drainable>()
function onDrain(this: Duplex): void {
  const waiter = waiters.get(this)
  waiters.delete(this)
  waiter?.drained()
}

function join(batch: readonly Queued[], bytes: number): Buffer {
  const buffer = Buffer.allocUnsafe(bytes)
  let offset = 0
  for (const { chunk, length } of batch) {
    if (length !== FRAMED) {
      offset = writeFrame(buffer, offset, chunk, length)
    } else if (typeof chunk !== 'string') {
      buffer.set(chunk, offset)
      offset += chunk.byteLength
    }
  }
  return buffer
}
