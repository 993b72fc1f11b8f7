/**
 * What a room publishes within one turn of the event loop: framed once, and the same bytes for every member. A member has
 * a cursor: who joined within the turn gets what came after. docs/decisions/grouped-writes.md.
 */
import type { EventDelivery } from '../../contract/contract.js'
import { byteLength, frameOf, headerSize, writeFrame } from '../gateway/index.js'

/** One publication, encoded. */
export interface TurnFrame {
  readonly text: string
  readonly delivery: EventDelivery
  /** The client that must not get it, and what it gets instead. */
  readonly except?: { readonly client: string; readonly instead: string | undefined } | undefined
}

/** Where a member's writer takes the frames. */
export interface FrameSink {
  fits(bytes: number): boolean
  sendFrames(frames: Uint8Array, atBound: 'drop' | 'close'): boolean
}

/** The frames of one turn. Bounded by its owner, who hands it out and clears it at a byte bound. */
export class TurnBuffer {
  #frames: TurnFrame[] = []
  #lengths: number[] = []
  #bytes = 0
  #excepts = false
  // Encoded up to here; what a member gets is a view into it.
  #shared: Buffer | undefined
  #offsets: number[] = []

  /** How many frames, which is the cursor of a member that joins now. */
  get length(): number {
    return this.#frames.length
  }

  get bytes(): number {
    return this.#bytes
  }

  append(frame: TurnFrame): void {
    const length = byteLength(frame.text)
    this.#frames.push(frame)
    this.#lengths.push(length)
    this.#bytes += headerSize(length) + length
    this.#excepts ||= frame.except !== undefined
    this.#shared = undefined
  }

  /** Gives a member its frames from `cursor` on. What does not fit is dropped or closes, each frame by its delivery. */
  handOut(sink: FrameSink, client: string, cursor: number): void {
    if (cursor >= this.#frames.length) return
    const shared = this.#encoded()
    const from = this.#offsets[cursor] ?? 0
    const mine = from === 0 ? shared : shared.subarray(from)
    if (sink.fits(mine.length) && !(this.#excepts && this.#isExcepted(client, cursor))) {
      sink.sendFrames(mine, 'close')
      return
    }
    for (let i = cursor; i < this.#frames.length; i++) {
      const frame = this.#frames[i]
      if (frame === undefined) continue
      const atBound = frame.delivery === 'volatile' ? 'drop' : 'close'
      const view =
        frame.except?.client === client
          ? insteadOf(frame)
          : shared.subarray(this.#offsets[i], this.#offsets[i + 1])
      if (view !== undefined && !sink.sendFrames(view, atBound) && atBound === 'close') return
    }
  }

  /** Starts the next turn. Bytes that were handed out stay as they are. */
  clear(): void {
    this.#frames = []
    this.#lengths = []
    this.#bytes = 0
    this.#excepts = false
    this.#shared = undefined
  }

  #isExcepted(client: string, cursor: number): boolean {
    for (let i = cursor; i < this.#frames.length; i++)
      if (this.#frames[i]?.except?.client === client) return true
    return false
  }

  #encoded(): Buffer {
    if (this.#shared !== undefined) return this.#shared
    const shared = Buffer.allocUnsafe(this.#bytes)
    const offsets = [0]
    let offset = 0
    for (let i = 0; i < this.#frames.length; i++) {
      offset = writeFrame(shared, offset, this.#frames[i]?.text ?? '', this.#lengths[i] ?? 0)
      offsets.push(offset)
    }
    this.#shared = shared
    this.#offsets = offsets
    return shared
  }
}

const insteadOf = ({ except }: TurnFrame): Buffer | undefined =>
  except?.instead === undefined ? undefined : frameOf(except.instead)
