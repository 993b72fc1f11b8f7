/**
 * The only place that writes to a socket. What a connection sends within one turn of the event loop leaves in
 * one write; what it may hold back is bounded. docs/decisions/grouped-writes.md lists what must stay true.
 */
import { byteLength, headerSize } from './framing.js'
import { type Chunk, type Drainable, FRAMED, type Outlet, type Queued } from './outlet.js'
import type { Flushable, Turn } from './turn.js'

/** Bytes that leave at once for a peer that is slow; what waits here can still be discarded. */
const SLICE_BYTES = 65_536
/** What a chunk costs beside its bytes that waits for a slow peer, towards the bound. */
const CHUNK_BYTES = 64

/** A chunk, and for whom it is, where somebody may take it back. */
interface Owned extends Queued {
  readonly owner: object | undefined
}

/** What to do with a frame that would exceed the bound. */
export type AtBound = 'drop' | 'close'

/** What a writer needs of its surroundings. */
export interface WriterHost {
  readonly turn: Turn
  /** Bytes a connection may hold back: the socket's own buffer and what is queued. At least 128 KiB. */
  readonly maxBuffered: number
  /** A frame that may not be dropped did not fit: the connection has to end (1013). Called once, at the end of that turn. */
  onOverflow(): void
  /** Frames were dropped at the bound. Called at the end of the turn, with how many they were. */
  onDrop(count: number): void
}

/** The bounded outbound buffer of one connection. */
export class Writer implements Flushable, Drainable {
  /** Set when something was queued since the heartbeat last looked: it has left, or waits for the peer to read. */
  spoke = false
  readonly #outlet: Outlet
  readonly #host: WriterHost
  // None where nothing waits, as for most connections most of the time.
  #queue: Owned[] | undefined
  #pending = 0
  #scheduled = false
  #open = true
  #waiters: Set<Drainable> | undefined
  // What the host has not been told yet.
  #dropped = 0
  #overflowed = false

  constructor(outlet: Outlet, host: WriterHost) {
    this.#outlet = outlet
    this.#host = host
  }

  /** Bytes held back: queued here, or not yet taken by the operating system. */
  get buffered(): number {
    return this.#pending + this.#outlet.buffered
  }

  /**
   * Queues one message. False where it was not taken: the writer is closed, or the bound is reached and it was
   * dropped or closed the connection.
   */
  send(payload: string | Uint8Array, atBound: AtBound = 'close'): boolean {
    const length = byteLength(payload)
    return this.#push(payload, length, headerSize(length) + length, atBound, undefined)
  }

  /** Queues whole frames as they are; the bytes may be shared and must not change afterwards. `owner` is for `retract`. */
  sendFrames(frames: Uint8Array, atBound: AtBound = 'close', owner?: object): boolean {
    return this.#push(frames, FRAMED, frames.byteLength, atBound, owner)
  }

  /** Whether so many more bytes would stay within the bound. */
  fits(bytes: number): boolean {
    return this.buffered + this.#overhead + bytes <= this.#host.maxBuffered
  }

  /**
   * Whether there is room for so many bytes of what can wait: half of the bound stays free for what cannot. Where nothing is queued here
   * they only have to fit; up to half of the bound does then whenever `drained` is called.
   */
  fitsSpare(bytes: number): boolean {
    return this.fits(this.isEmpty ? bytes : bytes + this.#host.maxBuffered / 2)
  }

  /** Nothing is queued here; the socket may hold something back. */
  get isEmpty(): boolean {
    return this.#queue === undefined
  }

  /** How many wait for `drained`. */
  get waiting(): number {
    return this.#waiters?.size ?? 0
  }

  /** Counts a frame that was not queued because it would not have fitted. */
  drop(): void {
    if (!this.#open) return
    this.#dropped++
    this.#schedule()
  }

  /**
   * Something that may not be dropped has no room: takes nothing more, and drops what is queued. The host is told later: whoever sends is
   * in the midst of something, such as a room that hands out, and what the host does then is the application's code, too.
   */
  overflow(): void {
    if (!this.#open) return
    this.end()
    this.discard()
    this.#overflowed = true
    this.#schedule()
  }

  // What one turn queues for a peer that keeps up is gone with the turn.
  get #overhead(): number {
    return this.#queue !== undefined && this.#outlet.isFull ? this.#queue.length * CHUNK_BYTES : 0
  }

  #push(chunk: Chunk, length: number, bytes: number, atBound: AtBound, owner: object | undefined): boolean {
    if (!this.#open) return false
    if (!this.fits(bytes)) {
      if (atBound === 'drop') this.drop()
      else this.overflow()
      return false
    }
    const queued = { chunk, length, bytes, owner }
    if (this.#queue === undefined) this.#queue = [queued]
    else this.#queue.push(queued)
    this.#pending += bytes
    this.spoke = true
    this.#schedule()
    return true
  }

  #schedule(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    this.#host.turn.addWriter(this)
  }

  /** The turn is over: writes what is queued, as fast as the peer takes it. What it does not take yet waits for `drained`. */
  flush(): void {
    this.#scheduled = false
    this.#report()
    if (this.#outlet.isClosed) {
      this.discard()
      return
    }
    while (this.#queue !== undefined && !this.#outlet.isFull) this.#write(this.#queue, SLICE_BYTES)
    if (this.#queue !== undefined || (this.#waiters !== undefined && this.#outlet.isFull))
      this.#outlet.awaitDrain(this)
    else this.#tellDrained()
  }

  #report(): void {
    const dropped = this.#dropped
    this.#dropped = 0
    if (dropped > 0) this.#host.onDrop(dropped)
    if (!this.#overflowed) return
    this.#overflowed = false
    this.#host.onOverflow()
  }

  /** Writes everything, now: before a control frame, which nothing queued may follow. */
  flushAll(): void {
    if (this.#outlet.isClosed) this.discard()
    else if (this.#queue !== undefined) this.#write(this.#queue, Number.POSITIVE_INFINITY)
  }

  #write(queue: Owned[], atLeast: number): void {
    if (this.#pending <= atLeast) {
      const bytes = this.#pending
      this.discard()
      this.#outlet.write(queue, bytes)
      return
    }
    let count = 0
    let bytes = 0
    while (bytes < atLeast) bytes += queue[count++]?.bytes ?? atLeast
    this.#pending -= bytes
    this.#outlet.write(queue.splice(0, count), bytes)
    if (queue.length === 0) this.discard()
  }

  /** For the outlet: it takes more. */
  drained(): void {
    this.#schedule()
  }

  /**
   * Calls `waiter.drained` once, in a later turn, when nothing is queued here and the socket takes more: at least half of the
   * bound is free then. Never where the connection ends before, or after `forget`. The same waiter twice is called once. Waiters are called
   * in the order they came; one that queued something when it was called, and waits again, comes behind those that did not.
   */
  whenDrained(waiter: Drainable): void {
    if (!this.#open) return
    this.#waiters ??= new Set()
    this.#waiters.add(waiter)
    this.#schedule()
  }

  /** A waiter that does not wait any more. */
  forget(waiter: Drainable): void {
    if (this.#waiters?.delete(waiter) && this.#waiters.size === 0) this.#waiters = undefined
  }

  #tellDrained(): void {
    const waiters = this.#waiters
    if (waiters === undefined) return
    this.#waiters = undefined
    const served: Drainable[] = []
    for (const waiter of waiters) {
      const before = this.#pending
      waiter.drained()
      // One that always has more would otherwise be the first each time, and take all the room.
      if (this.#pending > before) served.push(waiter)
    }
    for (const waiter of served) this.#moveBehind(waiter)
  }

  // Where it waits again.
  #moveBehind(waiter: Drainable): void {
    if (this.#waiters?.delete(waiter)) this.#waiters.add(waiter)
  }

  /** Takes nothing more. What is queued still leaves with the next flush. */
  end(): void {
    this.#open = false
    this.#waiters = undefined
  }

  /** Drops what is queued: of a user who may no longer see it. What is with the socket already cannot be taken back. */
  discard(): void {
    this.#queue = undefined
    this.#pending = 0
  }

  /** Drops what is queued of one owner: of a room that its reader may no longer be in. */
  retract(owner: object): void {
    if (this.#queue === undefined) return
    const kept = this.#queue.filter((queued) => queued.owner !== owner)
    this.#queue = kept.length > 0 ? kept : undefined
    this.#pending = kept.reduce((sum, { bytes }) => sum + bytes, 0)
  }
}
