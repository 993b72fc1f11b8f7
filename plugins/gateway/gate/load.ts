/** Whether this node is too busy for anybody new. docs/decisions/the-gate.md. */
import { monitorEventLoopDelay } from 'node:perf_hooks'
import type { Clock } from '../../../contract/clock.js'

/** Gives how late the event loop was on average since it was last asked, in ms, and ends with its app. */
export interface LagMeter {
  read(): number
  stop(): void
}

/** Milliseconds that one reading covers at least. */
const WINDOW_MS = 250
/** Milliseconds between two looks of Node's own timer. */
const RESOLUTION_MS = 20

/**
 * Late where the loop's mean lag was above `most` ms in two windows in a row: one garbage collection, or one slow start, is not
 * yet load. It has no timer: it reads when somebody asks, at most every 250 ms.
 */
export class Load {
  readonly #clock: Clock
  readonly #most: number
  readonly #meter: LagMeter
  #since: number
  #lag = 0
  #before = 0

  constructor(clock: Clock, most: number, meter: LagMeter) {
    this.#clock = clock
    this.#most = most
    this.#meter = meter
    this.#since = clock.now()
  }

  /** Nobody new should come in. */
  get isLate(): boolean {
    const now = this.#clock.now()
    if (now - this.#since >= WINDOW_MS) {
      this.#since = now
      this.#before = this.#lag
      this.#lag = this.#meter.read()
    }
    return Math.min(this.#lag, this.#before) > this.#most
  }

  /** Ends the measuring. */
  stop(): void {
    this.#meter.stop()
  }
}

/** Node's own measure: a timer outside of JavaScript, which keeps no process alive. */
export function eventLoopLag(): LagMeter {
  const delays = monitorEventLoopDelay({ resolution: RESOLUTION_MS })
  delays.enable()
  return {
    read() {
      // Without a look in between there is no mean.
      const mean = delays.count === 0 ? 0 : delays.mean / 1e6 - RESOLUTION_MS
      delays.reset()
      return Math.max(0, mean)
    },
    stop: () => void delays.disable(),
  }
}
