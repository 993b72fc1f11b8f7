/** What a peer can cause at will is not logged at will. */
import type { Clock } from '../../../contract/clock.js'

/** Milliseconds in which each key is let through once. */
const PERIOD_MS = 60_000
/** Of how many keys; what comes beyond is only counted. */
const MAX_KEYS = 100

/** Lets each key through once a minute, of at most 100 keys, and counts the others. */
export class Seldom {
  readonly #clock: Clock
  readonly #seen = new Set<string>()
  #until = 0
  #unsaid = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Calls `say` where it is this key's turn, with how many were not said since the last time one was. */
  tell(key: string, say: (unsaid: number) => void): void {
    const now = this.#clock.now()
    if (now >= this.#until) {
      this.#seen.clear()
      this.#until = now + PERIOD_MS
    }
    if (this.#seen.has(key) || this.#seen.size >= MAX_KEYS) {
      this.#unsaid++
      return
    }
    this.#seen.add(key)
    const unsaid = this.#unsaid
    this.#unsaid = 0
    say(unsaid)
  }
}
