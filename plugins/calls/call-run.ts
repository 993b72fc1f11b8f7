/** A call with one answer, or none. PROTOCOL.md § Calls. */
import type { Connection, Request } from '../gateway/index.js'
import { Run } from './run.js'

/** One call under way: its handler's value is the answer. */
export class CallRun extends Run {
  #running = true
  // `due` is first the caller's deadline, then this: the end of the time its handler may count as in flight.
  #end = 0

  await(result: PromiseLike<unknown>, deadline: number): void {
    const now = this.mount.clock.now()
    this.#end = now + this.mount.settings.callTimeout
    this.due = Math.min(now + deadline, this.#end)
    this.host.deadlines.add(this)
    if (this.seq === 0) unanswered(this.connection).add(this)
    result.then(
      (value) => this.resolve(value),
      (error: unknown) => this.reject(error),
    )
  }

  resolve(value: unknown): void {
    this.#finish()
    this.acknowledge(value)
  }

  reject(error: unknown): void {
    this.#finish()
    this.fail(error)
  }

  cancel(): void {
    this.answerEarly('CANCELLED')
  }

  expire(): void {
    this.answerEarly('TIMEOUT')
    // An answered call still counts as in flight while its handler runs, or CALL and CANCEL in turn would have no bound.
    if (this.due < this.#end) this.due = this.#end
    else this.#finish()
  }

  #finish(): void {
    if (!this.#running) return
    this.#running = false
    this.host.deadlines.delete(this)
    if (this.seq === 0) this.connection.slots.unanswered?.delete(this)
    this.connection.requests.finish()
  }
}

declare module '../gateway/connection.js' {
  interface ConnectionSlots {
    /** Calls under way that nothing answers. */
    unanswered?: Set<Request>
  }
}

const unanswered = ({ slots }: Connection): Set<Request> => {
  slots.unanswered ??= new Set()
  return slots.unanswered
}

/** Aborts the calls of a connection that ended which nothing answers; the others it ends itself. */
export function abortUnanswered({ slots }: Connection): void {
  for (const request of slots.unanswered ?? []) request.cancel()
}
