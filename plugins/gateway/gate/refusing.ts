/** Refusals in a storm: even to write them takes the time of those who are here. docs/decisions/the-gate.md. */
// Taken at load, so that fake timers a user installs later do not hold them up.
import { setImmediate } from 'node:timers'
import type { Clock } from '../../../contract/clock.js'
import type { Refusal } from './refusal.js'

/** Milliseconds that refusals may take in one turn of the event loop. */
const BUDGET_MS = 5
/** How many may wait for a later turn; one more is refused at once. */
const MOST_WAITING = 10_000

/** Somebody who can be refused. */
export interface Refused {
  refuse(refusal: Refusal): void
}

/** Refuses at once, and in later turns of the event loop what would take longer than 5 ms of this one; in order. */
export class Refusing {
  readonly #clock: Clock
  readonly #waiting = new Map<Refused, Refusal>()
  #spent = 0
  #isScheduled = false

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Refuses somebody, now or soon. */
  refuse(refused: Refused, refusal: Refusal): void {
    const isLater = this.#spent >= BUDGET_MS || this.#waiting.size > 0
    if (isLater && this.#waiting.size < MOST_WAITING) this.#waiting.set(refused, refusal)
    else this.#write(refused, refusal)
    this.#schedule()
  }

  #write(refused: Refused, refusal: Refusal): void {
    const start = this.#clock.now()
    refused.refuse(refusal)
    this.#spent += this.#clock.now() - start
  }

  #schedule(): void {
    if (this.#isScheduled) return
    this.#isScheduled = true
    setImmediate(this.#turned)
  }

  readonly #turned = (): void => {
    this.#isScheduled = false
    this.#spent = 0
    for (const [refused, refusal] of this.#waiting) {
      if (this.#spent >= BUDGET_MS) break
      this.#waiting.delete(refused)
      this.#write(refused, refusal)
    }
    if (this.#waiting.size > 0) this.#schedule()
  }
}
