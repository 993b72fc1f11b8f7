/** Verifications of tokens: a node runs so many at once, whatever reconnects. */
import type { Clock } from '../../../contract/clock.js'
import { Timeouts } from '../timeouts.js'
import { Cap } from './cap.js'
import { Refusal } from './refusal.js'

/** How many may wait for each that runs. */
const WAITING_PER_RUN = 10
/** Seconds. */
const RETRY_AFTER = 2

/** One address may have at most one in so many of those that run and wait. */
const ADDRESS_SHARE = 4

/** Who asks. */
export interface Asker {
  /** They are still there. Default: always. */
  readonly isWanted?: (() => boolean) | undefined
  /** What counts as their address; who has none counts among all only. */
  readonly address?: string | undefined
}

interface Waiting {
  /** Whoever asked is still there. */
  readonly isWanted: () => boolean
  readonly start: () => void
  readonly refuse: (refusal: Refusal) => void
  /** Gives its share back. */
  readonly leave: () => void
}

const always = (): boolean => true

/**
 * Runs `most` at once. Ten times as many wait in order, each for at most half of `ms`, so that the answer to a handshake of `ms` still
 * leaves; beyond either bound the Refusal is 503 OVERLOADED. Of one address are at most a quarter: beyond that it is 429. One that takes longer than `ms` is given up with 503
 * UNAVAILABLE and no longer counts.
 */
export class Authentications {
  readonly #most: number
  readonly #running: Timeouts<{ readonly giveUp: () => void }>
  readonly #waiting: Timeouts<Waiting>
  readonly #shares: Cap

  constructor(clock: Clock, most: number, ms: number) {
    this.#most = most
    this.#running = new Timeouts(clock, ms, ({ giveUp }) => giveUp())
    this.#waiting = new Timeouts(clock, ms / 2, ({ refuse, leave }) => {
      leave()
      refuse(overloaded())
    })
    const all = most * (1 + WAITING_PER_RUN)
    this.#shares = new Cap(all, Math.ceil(all / ADDRESS_SHARE))
  }

  /** How many run. */
  get running(): number {
    return this.#running.size
  }

  /** How many wait. */
  get waiting(): number {
    return this.#waiting.size
  }

  /** Of how many addresses they are. */
  get addresses(): number {
    return this.#shares.keys
  }

  /** Runs `work` in its turn; not at all where nobody wants it any more by then: that never settles. Rejects with a Refusal, or as `work` does. */
  run<T>(work: () => Promise<T>, { isWanted = always, address }: Asker = {}): Promise<T> {
    const isWaiting = this.running >= this.#most
    if (isWaiting && this.waiting >= this.#most * WAITING_PER_RUN) return Promise.reject(overloaded())
    if (this.#shares.isFullFor(address)) return Promise.reject(tooMany())
    this.#shares.add(address)
    const leave = (): void => this.#shares.delete(address)
    if (!isWaiting) return this.#start(work, leave)
    return new Promise((resolve, reject) => {
      const start = (): void => resolve(this.#start(work, leave))
      this.#waiting.add({ isWanted, start, refuse: reject, leave })
    })
  }

  #start<T>(work: () => Promise<T>, leave: () => void): Promise<T> {
    return new Promise((resolve, reject) => {
      let isOver = false
      const settle = (act: () => void): void => {
        // One that was given up ends after all: it no longer counts.
        if (isOver) return
        isOver = true
        act()
        leave()
        this.#running.delete(run)
        this.#next()
      }
      const run = { giveUp: () => settle(() => reject(unavailable())) }
      this.#running.add(run)
      work().then(
        (value) => settle(() => resolve(value)),
        (error: unknown) => settle(() => reject(error)),
      )
    })
  }

  #next(): void {
    for (const waiting of this.#waiting) {
      if (this.running >= this.#most) return
      this.#waiting.delete(waiting)
      if (waiting.isWanted()) waiting.start()
      else waiting.leave()
    }
  }
}

const overloaded = (): Refusal =>
  new Refusal(503, 'OVERLOADED', 'too many are being authenticated now', RETRY_AFTER)
const tooMany = (): Refusal =>
  new Refusal(
    429,
    'TOO_MANY_CONNECTIONS',
    'too many of this address are being authenticated now',
    RETRY_AFTER,
  )
const unavailable = (): Refusal =>
  new Refusal(503, 'UNAVAILABLE', 'authentication did not answer in time', RETRY_AFTER)
