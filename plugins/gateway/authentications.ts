/** Verifications of tokens: a node runs so many at once, whatever reconnects. */
import type { Clock } from '../../contract/clock.js'
import { Refusal } from './refusal.js'
import { Timeouts } from './timeouts.js'

/** How many may wait for each that runs. */
const WAITING_PER_RUN = 10
/** Seconds. */
const RETRY_AFTER = 2

interface Waiting {
  /** Whoever asked is still there. */
  readonly isWanted: () => boolean
  readonly start: () => void
  readonly refuse: (refusal: Refusal) => void
}

const always = (): boolean => true

/**
 * Runs `most` at once. Ten times as many wait in order, each for at most half of `ms`, so that the answer to a handshake of `ms` still
 * leaves; beyond either bound the Refusal is 503 OVERLOADED. One that takes longer than `ms` is given up with 503
 * UNAVAILABLE and no longer counts.
 */
export class Authentications {
  readonly #most: number
  readonly #running: Timeouts<{ readonly giveUp: () => void }>
  readonly #waiting: Timeouts<Waiting>

  constructor(clock: Clock, most: number, ms: number) {
    this.#most = most
    this.#running = new Timeouts(clock, ms, ({ giveUp }) => giveUp())
    this.#waiting = new Timeouts(clock, ms / 2, ({ refuse }) => refuse(overloaded()))
  }

  /** How many run. */
  get running(): number {
    return this.#running.size
  }

  /** How many wait. */
  get waiting(): number {
    return this.#waiting.size
  }

  /** Runs `work` in its turn; not at all where nobody wants it any more by then: that never settles. Rejects with a Refusal, or as `work` does. */
  run<T>(work: () => Promise<T>, isWanted: () => boolean = always): Promise<T> {
    if (this.running < this.#most) return this.#start(work)
    if (this.waiting >= this.#most * WAITING_PER_RUN) return Promise.reject(overloaded())
    return new Promise((resolve, reject) => {
      this.#waiting.add({ isWanted, start: () => resolve(this.#start(work)), refuse: reject })
    })
  }

  #start<T>(work: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const run = { giveUp: () => settle(() => reject(unavailable())) }
      const settle = (act: () => void): void => {
        act()
        this.#running.delete(run)
        this.#next()
      }
      this.#running.add(run)
      work().then(
        (value) => settle(() => resolve(value)),
        (error: unknown) => settle(() => reject(error)),
      )
    })
  }

  // One that was given up comes back here when it ends after all; what runs by then is counted all the same.
  #next(): void {
    for (const waiting of this.#waiting) {
      if (this.running >= this.#most) return
      this.#waiting.delete(waiting)
      if (waiting.isWanted()) waiting.start()
    }
  }
}

const overloaded = (): Refusal =>
  new Refusal(503, 'OVERLOADED', 'too many are being authenticated now', RETRY_AFTER)
const unavailable = (): Refusal =>
  new Refusal(503, 'UNAVAILABLE', 'authentication did not answer in time', RETRY_AFTER)
