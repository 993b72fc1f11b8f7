/** A JOIN on its way: answered once, and counted as in flight until its handlers are done. PROTOCOL.md § Rooms. */
import type { Clock, Timer } from '../../contract/clock.js'
import { type CallError, refuseCall } from '../calls/index.js'
import type { Connection, Request } from '../gateway/index.js'

/** One JOIN. Whoever refuses it first wins: its handler, its client, its deadline, or an eviction. */
export class Join implements Request {
  readonly connection: Connection
  readonly seq: number
  readonly #refuse: (error: CallError) => void
  readonly #clock: Clock
  readonly #ms: number
  #timer: Timer | undefined
  #running = true
  #over = false

  /** `refuse` answers it, unless it is answered. `ms` is the deadline. */
  constructor(
    connection: Connection,
    seq: number,
    clock: Clock,
    ms: number,
    refuse: (error: CallError) => void,
  ) {
    this.connection = connection
    this.seq = seq
    this.#clock = clock
    this.#refuse = refuse
    this.#ms = ms
  }

  /** It counts as in flight: its deadline begins. */
  start(): void {
    this.#timer = this.#clock.setTimeout(() => {
      this.end(refuseCall('TIMEOUT'))
      this.finish()
    }, this.#ms)
  }

  /** Nobody waits for it any more. */
  get over(): boolean {
    return this.#over
  }

  cancel(): void {
    this.end(refuseCall('CANCELLED'))
  }

  /** Refuses it; harmless where it is over. */
  end(error: CallError): void {
    if (this.#over) return
    this.#over = true
    if (this.connection.settle(this.seq)) this.#refuse(error)
  }

  /** Takes the right to answer JOINED; false where it is over. */
  take(): boolean {
    if (this.#over) return false
    this.#over = true
    return this.connection.settle(this.seq)
  }

  /** Its handlers are done, or took too long: only now it no longer counts as in flight, or JOIN and LEAVE in turn would have no bound. */
  finish(): void {
    if (!this.#running) return
    this.#running = false
    if (this.#timer !== undefined) this.#clock.clearTimeout(this.#timer)
    this.connection.finish()
  }
}
