/** One timer that can be set anew. */
import type { Clock, Timer } from '../contract/clock.js'

/** The longest time a timer can wait, in ms: about 24 days. A longer one would ring at once. */
const MAX_TIMER = 2 ** 31 - 1

/** As whole milliseconds that a timer can wait: not below 0, and at most 2,147,483,647. */
export const wholeMs = (ms: number): number => Math.min(Math.max(0, Math.ceil(ms)), MAX_TIMER)

/** Rings once for each `set`, unless it is set again or stopped before. */
export interface Alarm {
  /** `ms` may be any time; what is longer than a timer can wait rings when that is over. */
  set(ms: number, ring: () => void): void
  stop(): void
}

/** An alarm that is not set. */
export function createAlarm(clock: Clock): Alarm {
  let timer: Timer | undefined
  const stop = (): void => {
    if (timer !== undefined) clock.clearTimeout(timer)
    timer = undefined
  }
  return {
    set(ms, ring) {
      stop()
      timer = clock.setTimeout(ring, wholeMs(ms))
    },
    stop,
  }
}
