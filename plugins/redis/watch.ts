/** Looks after something for ever: now and then while it is well, often while it is not, and at once when it is told to. */
import type { Clock, Timer } from '../../contract/clock.js'

/** Milliseconds between two looks while all is well. */
const CALM_MS = 5000
/** The same while something is missing. */
const BUSY_MS = 200

/** One look at a time. */
export class Watch {
  readonly #clock: Clock
  readonly #look: () => Promise<boolean>
  #timer: Timer | undefined
  #isLooking = false
  #isWanted = false
  #isHurried = false
  #isStopped = true

  /** `look` says whether all is well; it must not reject. */
  constructor(clock: Clock, look: () => Promise<boolean>) {
    this.#clock = clock
    this.#look = look
  }

  start(): void {
    this.#isStopped = false
    this.wake()
  }

  /** Looks at once, or again when the look under way is over. */
  wake(): void {
    if (this.#isStopped) return
    if (this.#isLooking) this.#isWanted = true
    else void this.#go()
  }

  /** Looks within 200 ms. */
  hurry(): void {
    if (this.#isStopped || this.#isHurried) return
    this.#isHurried = true
    if (!this.#isLooking) this.#pause(BUSY_MS)
  }

  stop(): void {
    this.#isStopped = true
    this.#disarm()
  }

  async #go(): Promise<void> {
    this.#disarm()
    this.#isLooking = true
    this.#isWanted = false
    this.#isHurried = false
    const isWell = await this.#look()
    this.#isLooking = false
    if (this.#isStopped) return
    if (this.#isWanted) void this.#go()
    else this.#pause(isWell && !this.#isHurried ? CALM_MS : BUSY_MS)
  }

  #pause(ms: number): void {
    this.#disarm()
    this.#timer = this.#clock.setTimeout(() => void this.#go(), ms)
  }

  #disarm(): void {
    if (this.#timer !== undefined) this.#clock.clearTimeout(this.#timer)
    this.#timer = undefined
  }
}
