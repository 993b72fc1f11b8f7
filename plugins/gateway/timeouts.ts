/** Many waits of one length with one timer. */
import type { Clock, Timer } from '../../contract/clock.js'

/** Calls back for each item that is still here `ms` after it was added. One timer, whatever the number. */
export class Timeouts<T> {
  readonly #due = new Map<T, number>()
  readonly #clock: Clock
  readonly #ms: number
  readonly #onTimeout: (item: T) => void
  #timer: Timer | undefined

  constructor(clock: Clock, ms: number, onTimeout: (item: T) => void) {
    this.#clock = clock
    this.#ms = ms
    this.#onTimeout = onTimeout
  }

  /** How many wait. */
  get size(): number {
    return this.#due.size
  }

  [Symbol.iterator](): IterableIterator<T> {
    return this.#due.keys()
  }

  /** Starts an item's wait. */
  add(item: T): void {
    this.#due.set(item, this.#clock.now() + this.#ms)
    this.#arm(this.#ms)
  }

  /** Ends an item's wait; harmless where it has none. */
  delete(item: T): void {
    this.#due.delete(item)
    if (this.#due.size === 0) this.#disarm()
  }

  #arm(ms: number): void {
    this.#timer ??= this.#clock.setTimeout(this.#expire, ms)
  }

  #disarm(): void {
    if (this.#timer !== undefined) this.#clock.clearTimeout(this.#timer)
    this.#timer = undefined
  }

  readonly #expire = (): void => {
    this.#timer = undefined
    const now = this.#clock.now()
    const over: T[] = []
    // All waits have one length, so the Map's order is the order of their ends.
    for (const [item, due] of this.#due) {
      if (due > now) {
        // Before anybody is called back: what they add stands behind this one.
        this.#arm(due - now)
        break
      }
      over.push(item)
    }
    for (const item of over) {
      // One may have ended another's wait, or begun it anew.
      if ((this.#due.get(item) ?? Number.POSITIVE_INFINITY) > now) continue
      this.#due.delete(item)
      this.#onTimeout(item)
    }
  }
}
