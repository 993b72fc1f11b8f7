/** One timer that can be set anew. */
import type { Clock, Timer } from '../contract/clock.js'

/** Rings once for each `set`, unless it is set again or stopped before. */
export interface Alarm {
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
      timer = clock.setTimeout(ring, ms)
    },
    stop,
  }
}
