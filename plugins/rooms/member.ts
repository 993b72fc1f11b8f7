/** A connection in a room. */
import { FRAMES } from '../../contract/wire/index.js'
import type { Connection, Drainable } from '../gateway/index.js'
import type { GapReason, Position, Publication } from './broker.js'
import { OWED_BYTES, Owed } from './owed.js'
import type { Room } from './room.js'
import type { FrameSink, Recipient } from './turn-buffer.js'

/** One membership. What is queued in its name can be taken back. */
export class Member implements Recipient, FrameSink, Drainable {
  readonly #room: Room
  readonly connection: Connection
  readonly params: unknown
  /** Of the last JOIN; 0 where the server joined it. */
  seq: number
  /** The first frame of this turn that is for it. */
  cursor = 0
  #owed: Owed | undefined

  constructor(room: Room, connection: Connection, params: unknown, seq: number) {
    this.#room = room
    this.connection = connection
    this.params = params
    this.seq = seq
  }

  get sink(): FrameSink {
    return this
  }

  fits(bytes: number): boolean {
    return this.connection.writer.fits(bytes)
  }

  /** See `Writer.drop`. */
  drop(): void {
    this.connection.writer.drop()
  }

  sendFrames(frames: Uint8Array, atBound?: 'drop' | 'close'): boolean {
    return this.connection.writer.sendFrames(frames, atBound, this)
  }

  get client(): string {
    return this.connection.sessionKey
  }

  get binary(): boolean {
    return this.connection.codec.binary
  }

  /** How many `latest` values wait for the connection to drain. */
  get owes(): number {
    return this.#owed?.count ?? 0
  }

  /**
   * A `latest` value that does not fit now: it, or what replaces it, follows when the connection has drained. A connection that is owed
   * more than `OWED_BYTES` ends (1013).
   */
  owe(publication: Publication): void {
    const { slots, writer } = this.connection
    if ((slots.owed ?? 0) > OWED_BYTES) {
      writer.overflow()
      return
    }
    this.#owed ??= new Owed(slots)
    this.#owed.set(publication)
    writer.whenDrained(this)
  }

  /** A newer value was sent, or is not for this member: what was owed for its key is not wanted any more. */
  forget(publication: Publication): void {
    this.#owed?.forget(publication)
  }

  /**
   * For the writer: sends what is owed, up to half of what the connection may hold back, whichever of its rooms it is of; the rest when it
   * has drained again. A value larger than all that a connection may hold back is dropped.
   */
  drained(): void {
    const owed = this.#owed
    if (owed === undefined) return
    const { writer, maxBuffered } = this.connection
    owed.take((publication) => {
      const frame = this.#room.encode(publication).frame(this.binary)
      if (frame.byteLength > maxBuffered) {
        writer.drop()
        return true
      }
      // Where nothing is queued there is nothing to wait for: one that has no room even then ends the connection.
      return (writer.isEmpty || writer.fitsSpare(frame.byteLength)) && this.sendFrames(frame)
    })
    if (owed.count === 0) this.#owed = undefined
    else writer.whenDrained(this)
  }

  /** Its room's log goes on at `position`, and not from what it was given. PROTOCOL.md § Recovery. */
  restart(position: Position | undefined, gap: GapReason): void {
    const { connection, seq } = this
    // Values of the log as it was; the current ones follow.
    this.end()
    connection.send([FRAMES.JOINED.type, seq, this.#room.key, 0, position && wirePosition(position), gap])
  }

  /** The membership is over: nothing of the room follows what is queued. */
  end(): void {
    if (this.#owed === undefined) return
    this.#owed.clear()
    this.#owed = undefined
    this.connection.writer.forget(this)
  }

  /** It should not be one any more: what is queued does not leave either. */
  retract(): void {
    this.connection.writer.retract(this)
  }
}

/** A position as frames carry it. */
export const wirePosition = ({ epoch, offset, tag }: Position) => [epoch, offset, tag] as const
