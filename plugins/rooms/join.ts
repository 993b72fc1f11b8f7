/** A JOIN on its way: answered once, and counted as in flight until its handlers are done. PROTOCOL.md § Rooms. */
import { type CallError, type Deadlines, type Due, refuseCall } from '../calls/index.js'
import type { Connection, Request } from '../gateway/index.js'

/** One JOIN. Whoever refuses it first wins: its handler, its client, its deadline, or an eviction. */
export class Join implements Request, Due {
  readonly connection: Connection
  readonly seq: number
  /** The name of the room. */
  readonly room: string
  readonly #refuse: (error: CallError) => void
  readonly #deadlines: Deadlines
  /** The clock's time at which it is refused. */
  due = Number.POSITIVE_INFINITY
  #running = true
  #over = false

  /** `refuse` answers it, unless it is answered. */
  constructor(
    connection: Connection,
    seq: number,
    room: string,
    deadlines: Deadlines,
    refuse: (error: CallError) => void,
  ) {
    this.connection = connection
    this.seq = seq
    this.room = room
    this.#deadlines = deadlines
    this.#refuse = refuse
  }

  /** It counts as in flight, at most until the clock's time `due`. */
  start(due: number): void {
    this.due = due
    this.#deadlines.add(this)
  }

  expire(): void {
    this.end(refuseCall('TIMEOUT'))
    this.finish()
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
    if (this.connection.requests.settle(this.seq, this)) this.#refuse(error)
  }

  /** Takes the right to answer JOINED; false where it is over. */
  take(): boolean {
    if (this.#over) return false
    this.#over = true
    return this.connection.requests.settle(this.seq, this)
  }

  /** Its handlers are done, or took too long: only now it no longer counts as in flight, or JOIN and LEAVE in turn would have no bound. */
  finish(): void {
    if (!this.#running) return
    this.#running = false
    this.#deadlines.delete(this)
    this.connection.requests.finish()
  }
}
