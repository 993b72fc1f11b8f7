/** Deadlines of calls and joins under way, with one timer. */
import type { Clock, Timer } from '../../contract/clock.js'

/** Something with a deadline on the clock. */
export interface Due {
  readonly due: number
  expire(): void
}

/** Milliseconds between two looks: a deadline is noticed at most this late. */
const LOOK_MS = 50

/** Looks at what is under way while there is anything; a call costs two Set operations and no timer. */
export class Deadlines {
  readonly #clock: Clock
  readonly #items = new Set<Due>()
  #timer: Timer | undefined

  constructor(clock: Clock) {
    this.#clock = clock
  }

  get size(): number {
    return this.#items.size
  }

  add(item: Due): void {
    this.#items.add(item)
    this.#timer ??= this.#clock.setTimeout(this.#look, LOOK_MS)
  }

  delete(item: Due): void {
    this.#items.delete(item)
  }

  readonly #look = (): void => {
    const now = this.#clock.now()
    for (const item of this.#items) if (item.due <= now) item.expire()
    // Only now: what is added by one that expires would set a second timer, and each look from then on.
    this.#timer = undefined
    if (this.#items.size > 0) this.#timer = this.#clock.setTimeout(this.#look, LOOK_MS)
  }
}
