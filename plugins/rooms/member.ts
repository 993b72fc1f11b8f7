/** A connection in a room. */
import type { Connection, Drainable, Message } from '../gateway/index.js'
import type { Publication } from './broker.js'
import { Owed } from './owed.js'
import type { FrameSink, Recipient } from './turn-buffer.js'

/** One membership. What is queued in its name can be taken back. */
export class Member implements Recipient, FrameSink, Drainable {
  readonly connection: Connection
  readonly params: unknown
  /** Of the last JOIN; 0 where the server joined it. */
  seq: number
  /** The first frame of this turn that is for it. */
  cursor = 0
  #owed: Owed | undefined

  constructor(connection: Connection, params: unknown, seq: number) {
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

  /** A `latest` value that does not fit now: it, or what replaces it, follows when the connection has drained. */
  owe(publication: Publication, message: Message): void {
    this.#owed ??= new Owed()
    this.#owed.set(publication, message)
    this.connection.writer.whenDrained(this)
  }

  /** A newer value was sent, or is not for this member: what was owed for its key is not wanted any more. */
  forget(publication: Publication): void {
    this.#owed?.forget(publication)
  }

  /** For the writer: sends what is owed, up to half of what the connection may hold back; the rest when it has drained again. */
  drained(): void {
    const owed = this.#owed
    if (owed === undefined) return
    const { writer, maxBuffered } = this.connection
    let sent = 0
    owed.take((message) => {
      const frame = message.frame(this.binary)
      if (sent > 0 && !writer.fits(frame.byteLength + maxBuffered / 2)) return false
      sent++
      return this.sendFrames(frame)
    })
    if (owed.count === 0) this.#owed = undefined
    else writer.whenDrained(this)
  }

  /** The membership is over: nothing of the room follows what is queued. */
  end(): void {
    this.#owed = undefined
  }

  /** It should not be one any more: what is queued does not leave either. */
  retract(): void {
    this.connection.writer.retract(this)
  }
}
