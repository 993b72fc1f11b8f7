import type { Clock, Timer } from '../../../contract/clock.js'

interface FakeTimer {
  readonly due: number
  readonly callback: () => void
}

/** A clock in the test's hand: nothing happens until `advance`. */
export class FakeClock implements Clock {
  time = 0
  /** How late the timers of the next `advance` ring, as after a sleep. */
  late = 0
  /** The longest time a timer was asked for, in ms. */
  longest = 0
  readonly #timers = new Set<FakeTimer>()

  now(): number {
    return this.time
  }
  wall(): number {
    return 1_700_000_000_000 + this.time
  }
  setTimeout(callback: () => void, ms: number): Timer {
    const timer: FakeTimer = { due: this.time + ms, callback }
    this.#timers.add(timer)
    this.longest = Math.max(this.longest, ms)
    return timer
  }
  clearTimeout(timer: Timer): void {
    this.#timers.delete(timer as FakeTimer)
  }

  /** Timers that wait. */
  get pending(): number {
    return this.#timers.size
  }

  /** Runs what is due, in order, and lets promises settle in between. */
  async advance(ms: number): Promise<void> {
    const end = this.time + ms
    await settled()
    for (;;) {
      const next = [...this.#timers].sort((a, b) => a.due - b.due)[0]
      if (next === undefined || next.due > end) break
      this.#timers.delete(next)
      this.time = Math.max(this.time, next.due + this.late)
      next.callback()
      await settled()
    }
    this.time = Math.max(this.time, end)
  }
}

/** All promises that can settle without a timer have. */
export const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
