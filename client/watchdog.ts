/** Notices a connection that died without a word. PROTOCOL.md § Heartbeat. */
import type { Clock } from '../contract/clock.js'
import { createAlarm } from './alarm.js'

/** A timer this much later than asked means that the machine slept or the tab was throttled: silence proves nothing. */
const LATE_MS = 1500
/** How long a probe waits for its answer. */
const PROBE_MS = 5000

/** Watches one connection at a time. One timer. */
export interface Watchdog {
  /** Starts with a heartbeat in ms. */
  start(heartbeat: number): void
  stop(): void
  /** Something was received. */
  heard(): void
  /** A BEAT came in: whether it wants an answer, that is, is not the answer to ours. */
  wantsAnswer(): boolean
}

/** `beat` sends BEAT; `dead` is called once when nothing came for two heartbeats and no probe was answered. */
export function createWatchdog(clock: Clock, beat: () => void, dead: () => void): Watchdog {
  const alarm = createAlarm(clock)
  let last = 0
  let probing = false
  const wait = (silence: number, ms: number): void => {
    const due = clock.now() + ms
    alarm.set(ms, () => {
      const now = clock.now()
      const left = last + silence - now
      if (left > 0) wait(silence, left)
      else if (probing || now - due <= LATE_MS) dead()
      else {
        probing = true
        beat()
        wait(silence, PROBE_MS)
      }
    })
  }
  return {
    start(heartbeat) {
      probing = false
      last = clock.now()
      if (heartbeat > 0) wait(2 * heartbeat, 2 * heartbeat)
    },
    stop: alarm.stop,
    heard() {
      last = clock.now()
    },
    wantsAnswer() {
      const wants = !probing
      probing = false
      return wants
    },
  }
}
