/**
 * What a room says within one turn of the event loop: framed once for each codec in use, and the same bytes for every member. A member
 * has a cursor: who joined within the turn gets what came after. docs/decisions/grouped-writes.md.
 */
import { byteLength, headerSize, type Message, writeFrame } from '../gateway/index.js'
import type { Publication } from './broker.js'

/** One publication, encoded, or another frame for every member. */
export interface TurnFrame {
  /** Absent for what is no publication: it may not be dropped, and is for everybody. */
  readonly publication?: Publication | undefined
  readonly message: Message
  /** What the client gets that the publication is not for. */
  readonly instead?: Message | undefined
}

/** Where a member's frames go. */
export interface FrameSink {
  fits(bytes: number): boolean
  sendFrames(frames: Uint8Array, atBound: 'close'): boolean
  /** Says that a frame was not even queued. */
  drop(): void
}

/** A member as its room's frames reach it. */
export interface Recipient {
  readonly sink: FrameSink
  readonly client: string
  /** Which of the two codecs it reads. */
  readonly binary: boolean
  readonly cursor: number
  /** How many `latest` values it has not been sent. */
  readonly owes: number
  owe(publication: Publication): void
  forget(publication: Publication): void
}

/** The frames of a turn in one buffer; the frame `i` is between the offsets `i` and `i + 1`. */
interface Shared {
  readonly bytes: Buffer
  readonly offsets: readonly number[]
}

/** One frame on its way into a buffer: its bytes, where another node has made them, or what is framed there. */
interface Part {
  readonly framed: Buffer | undefined
  readonly payload: string | Uint8Array
  readonly length: number
  readonly size: number
}

/** The frames of one turn. Bounded by its owner, who hands it out and clears it at a byte bound. */
export class TurnBuffer {
  #frames: TurnFrame[] = []
  #bytes = 0
  #excepts = false
  // What a member gets is a view into one of these.
  #text: Shared | undefined
  #binary: Shared | undefined

  /** How many frames, which is the cursor of a member that joins now. */
  get length(): number {
    return this.#frames.length
  }

  /** Bytes of the frames as text. */
  get bytes(): number {
    return this.#bytes
  }

  append(frame: TurnFrame): void {
    this.#frames.push(frame)
    this.#bytes += textSize(frame.message)
    this.#excepts ||= frame.publication?.except !== undefined
    this.#text = undefined
    this.#binary = undefined
  }

  /**
   * Gives a member its frames from its cursor on. Each that does not fit is treated by its delivery: volatile is dropped, of `latest` the
   * newest is owed, and anything else closes.
   */
  handOut(to: Recipient): void {
    const { sink, cursor } = to
    if (cursor >= this.#frames.length) return
    const { bytes, offsets } = this.#shared(to.binary)
    const from = offsets[cursor] ?? 0
    const mine = from === 0 ? bytes : bytes.subarray(from)
    if (to.owes === 0 && sink.fits(mine.length) && !(this.#excepts && this.#isExcepted(to))) {
      sink.sendFrames(mine, 'close')
      return
    }
    for (let i = cursor; i < this.#frames.length; i++) {
      const frame = this.#frames[i]
      if (frame !== undefined && !handOne(frame, bytes, offsets[i] ?? 0, offsets[i + 1] ?? 0, to)) return
    }
  }

  /** Starts the next turn. Bytes that were handed out stay as they are. */
  clear(): void {
    this.#frames = []
    this.#bytes = 0
    this.#excepts = false
    this.#text = undefined
    this.#binary = undefined
  }

  #isExcepted({ client, cursor }: Recipient): boolean {
    for (let i = cursor; i < this.#frames.length; i++)
      if (this.#frames[i]?.publication?.except === client) return true
    return false
  }

  #shared(binary: boolean): Shared {
    if (binary) {
      this.#binary ??= encode(this.#frames, true)
      return this.#binary
    }
    this.#text ??= encode(this.#frames, false)
    return this.#text
  }
}

// False where the connection is over. A view is made only for who takes it: there may be many who do not.
function handOne(
  { publication, instead }: TurnFrame,
  shared: Buffer,
  from: number,
  end: number,
  to: Recipient,
): boolean {
  const { sink } = to
  if (publication === undefined) return sink.sendFrames(shared.subarray(from, end), 'close')
  if (publication.except === to.client) {
    if (publication.delivery === 'latest') to.forget(publication)
    return instead === undefined || sink.sendFrames(instead.frame(to.binary), 'close')
  }
  const { delivery } = publication
  if (delivery === 'recoverable' || sink.fits(end - from)) {
    if (delivery === 'latest') to.forget(publication)
    return sink.sendFrames(shared.subarray(from, end), 'close')
  }
  if (delivery === 'latest') to.owe(publication)
  else sink.drop()
  return true
}

/** Bytes of a message's frame as text, which is not made for that. */
function textSize(message: Message): number {
  if (message.framed !== undefined) return message.framed.length
  const length = byteLength(message.text)
  return headerSize(length) + length
}

function encode(frames: readonly TurnFrame[], binary: boolean): Shared {
  const parts = frames.map(({ message }) => partOf(message, binary))
  const bytes = Buffer.allocUnsafe(parts.reduce((sum, { size }) => sum + size, 0))
  const offsets = [0]
  let offset = 0
  for (const { framed, payload, length, size } of parts) {
    if (framed !== undefined) bytes.set(framed, offset)
    else writeFrame(bytes, offset, payload, length)
    offset += size
    offsets.push(offset)
  }
  return { bytes, offsets }
}

function partOf(message: Message, binary: boolean): Part {
  const framed = binary ? undefined : message.framed
  if (framed !== undefined) return { framed, payload: '', length: 0, size: framed.length }
  const payload = message.payload(binary)
  const length = byteLength(payload)
  return { framed: undefined, payload, length, size: headerSize(length) + length }
}
