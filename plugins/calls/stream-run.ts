/** A call that is a stream: items as long as somebody has credit and room for them. PROTOCOL.md § Streams. */
import { FRAMES } from '../../contract/wire/index.js'
import { AckordError } from '../errors.js'
import { byteLength, type Connection, headerSize } from '../gateway/index.js'
import type { CompiledCall } from './compile.js'
import type { Payload } from './payload.js'
import { type Early, Run, type RunHost } from './run.js'

/** The most credit a stream holds; more is cut to it. PROTOCOL.md § Streams. */
export const MAX_CREDIT = 65_536

/** Streams wait while their connection holds back more bytes than these: the rest of `maxBuffered` is for what cannot wait. */
const SHARE = 65_536

/** A call with the schema of its items. */
export type StreamCall = CompiledCall & { readonly item: Payload }

/**
 * One stream under way. Its generator is asked for an item only when there is credit for it and the connection holds
 * little back: at most one item waits here, whatever the peer does.
 */
export class StreamRun extends Run {
  readonly #item: Payload
  // How long the hooks, and then each item, may take, in ms.
  readonly #patience: number
  #items: AsyncIterator<unknown> | undefined
  #credit = 0
  // The hooks or the generator are at work.
  #busy = true
  // A frame that is made, and larger than the room there was.
  #held: string | Uint8Array | undefined
  #listening = false
  // Not answered; and, behind that, not at its end.
  #wanted = true
  #running = true

  /** `deadline`: how long the client waits for an item, in ms. */
  constructor(
    host: RunHost,
    connection: Connection,
    seq: number,
    call: StreamCall,
    input: unknown,
    operationId: string,
    deadline: number,
  ) {
    super(host, connection, seq, call, input, operationId)
    this.#item = call.item
    this.#patience = Math.min(deadline, this.mount.settings.callTimeout)
  }

  /** The client has room for so many more items. */
  grant(items: number): void {
    this.#credit = Math.min(this.#credit + items, MAX_CREDIT)
    if (!this.#listening) this.#go()
  }

  await(result: PromiseLike<unknown>): void {
    this.#work(this.#patience)
    result.then(
      (value) => this.resolve(value),
      (error: unknown) => this.reject(error),
    )
  }

  /** The generator is there; nothing of it has run yet. */
  resolve(value: unknown): void {
    if (!isIterable(value)) {
      this.reject(new TypeError('the handler of a stream has to be an async generator'))
      return
    }
    this.#rest()
    this.#items = value[Symbol.asyncIterator]()
    // A hook may have let it start when nobody wanted it any more.
    if (this.#wanted) this.#go()
    else void this.#leave()
  }

  reject(error: unknown): void {
    this.#finish()
    this.fail(error)
  }

  cancel(): void {
    this.#stop('CANCELLED')
  }

  /** An item took too long; or nobody wants it any more, and the generator does not end: it counts no longer. */
  expire(): void {
    if (this.#wanted) this.#stop('TIMEOUT')
    else this.#finish()
  }

  /** For the writer: what the connection held back has left. */
  drained(): void {
    this.#listening = false
    this.#go()
  }

  #go(): void {
    if (this.#busy || !this.#wanted) return
    if (!this.#sendHeld()) this.#listen()
    else if (this.#credit > 0) {
      if (this.connection.writer.buffered > SHARE) this.#listen()
      else void this.#pull()
    }
  }

  // False where there is no room.
  #sendHeld(): boolean {
    if (this.#held === undefined) return true
    const { writer } = this.connection
    if (!writer.fitsSpare(sizeOf(this.#held))) return false
    writer.send(this.#held)
    this.#held = undefined
    return true
  }

  #listen(): void {
    this.#listening = true
    this.connection.writer.whenDrained(this)
  }

  // Rejects never.
  async #pull(): Promise<void> {
    this.#work(this.#patience)
    let step: IteratorResult<unknown> | undefined
    try {
      step = await this.#items?.next()
    } catch (error) {
      this.reject(error)
      return
    }
    // Whoever stopped it waits for its end.
    if (!this.#wanted) return
    this.#rest()
    if (step === undefined || step.done === true) {
      this.#finish()
      this.acknowledge(step?.value)
    } else this.#hold(step.value)
  }

  #hold(value: unknown): void {
    try {
      this.#held = this.#frame(value)
    } catch (error) {
      this.#wanted = false
      this.fail(error)
      void this.#leave()
      return
    }
    this.#credit--
    this.#go()
  }

  #frame(value: unknown): string | Uint8Array {
    const { codec, maxBuffered } = this.connection
    const text = `[${FRAMES.ITEM.type},${this.seq},${this.#item(value)}]`
    const payload = codec.binary ? this.#item.pack(text) : text
    // So much is free whenever the writer has drained; a larger one might wait for ever.
    if (sizeOf(payload) > maxBuffered / 2)
      throw new AckordError('ACKORD_INVALID_PAYLOAD', `an item of ${this.name} exceeds half of maxBuffered`)
    return payload
  }

  #stop(code: Early): void {
    if (!this.#wanted) return
    this.#wanted = false
    this.#forgetWriter()
    this.answerEarly(code)
    void this.#leave()
  }

  // Nobody wants more of it. It counts until its generator has ended, or for as long as a call may take: CALL and CANCEL
  // in turn would have no bound. Rejects never.
  async #leave(): Promise<void> {
    this.#held = undefined
    this.#work(this.mount.settings.callTimeout)
    // The hooks are not done: they end in `resolve` or `reject`.
    if (this.#items === undefined) return
    try {
      await this.#items.return?.()
    } catch (error) {
      this.fail(error)
    }
    this.#finish()
  }

  #work(ms: number): void {
    this.#busy = true
    this.due = this.mount.clock.now() + ms
    this.host.deadlines.add(this)
  }

  #rest(): void {
    this.#busy = false
    this.host.deadlines.delete(this)
  }

  // A peer that does not read would keep whatever it has cancelled.
  #forgetWriter(): void {
    if (this.#listening) this.connection.writer.forget(this)
    this.#listening = false
  }

  #finish(): void {
    this.#wanted = false
    this.#forgetWriter()
    this.host.deadlines.delete(this)
    if (!this.#running) return
    this.#running = false
    this.connection.requests.finishStream()
  }
}

/** The bytes of a message as a frame. */
const sizeOf = (payload: string | Uint8Array): number => {
  const bytes = byteLength(payload)
  return headerSize(bytes) + bytes
}

/** Whether a call is a stream. */
export const isStream = (call: CompiledCall): call is StreamCall => call.item !== undefined

const isIterable = (value: unknown): value is AsyncIterable<unknown> =>
  typeof value === 'object' && value !== null && Symbol.asyncIterator in value
