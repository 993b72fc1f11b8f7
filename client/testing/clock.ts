import type { Clock, Timer } from '../../contract/clock.js'
import { settle } from './settle.js'

/** What Node and browsers keep a timer in; a longer one fires at once there. */
const LONGEST_TIMER = 2_147_483_647

/** A Clock that stands still until a test moves it. */
export interface TestClock extends Clock {
  /** Timers that were set and have neither run nor been cleared. */
  readonly pending: number
  /**
   * Moves time by `ms` (0 or more) and runs what falls due, in order, each at its time. Between them nothing else runs: no promise,
   * no I/O. For code that only takes a clock. What a timer throws is thrown here, at that timer's time.
   */
  advance(ms: number): void
  /**
   * Moves time as `advance` does, and settles the networks of this process (so promises too) before, between and after the
   * timers. One at a time: throws while another one runs.
   */
  advanceAsync(ms: number): Promise<void>
  /** Time passes and no timer runs, as in a sleeping laptop: what fell due runs late, at the next advance. */
  sleep(ms: number): void
  /** Sets the wall clock to this many milliseconds since 1970, as a user or NTP may. Timers and `now` do not change. */
  setWall(at: number): void
}

/**
 * A clock for tests, to be given to both sides. `now` starts at 0, `wall` at `wall` (default 2026-01-01T00:00:00Z).
 * Its `setTimeout` throws a RangeError for what no timer can do: more than 2,147,483,647 ms, or NaN.
 *
 * @example
 * const clock = createClock()
 * await app.register(ackord, { clock })
 * const chat = createChat('ws://test/chat', { clock, WebSocket: network.WebSocket })
 * await clock.advanceAsync(25_000)      // the heartbeat has gone both ways
 */
export function createClock(options: { readonly wall?: number } = {}): TestClock {
  const timers = new Map<Timer, { readonly due: number; readonly callback: () => void }>()
  let now = 0
  let offset = options.wall ?? Date.UTC(2026, 0, 1)
  let advancing = false

  const runNext = (until: number): boolean => {
    let next: Timer | undefined
    let due = Number.POSITIVE_INFINITY
    // A Map keeps the order of insertion: of two that are due together the older one runs first.
    for (const [timer, entry] of timers) if (entry.due < due) [next, due] = [timer, entry.due]
    const entry = next === undefined || due > until ? undefined : timers.get(next)
    if (next === undefined || entry === undefined) return false
    timers.delete(next)
    now = Math.max(now, due)
    entry.callback()
    return true
  }

  const end = (ms: number): number => {
    if (!(ms >= 0 && ms < Number.POSITIVE_INFINITY)) throw new RangeError(`Time cannot move by ${ms} ms`)
    return now + ms
  }

  return {
    now: () => now,
    // Whole milliseconds, as Date.now() gives them.
    wall: () => Math.floor(offset + now),
    setTimeout(callback, ms) {
      if (!(ms <= LONGEST_TIMER))
        throw new RangeError(`A timer cannot wait ${ms} ms; ${LONGEST_TIMER} at most`)
      const timer = {}
      // As in Node and browsers, 0 means 1: a timer that sets itself again cannot stop time.
      timers.set(timer, { due: now + Math.max(1, ms), callback })
      return timer
    },
    clearTimeout: (timer) => void timers.delete(timer),
    get pending() {
      return timers.size
    },
    advance(ms) {
      const until = end(ms)
      while (runNext(until));
      now = Math.max(now, until)
    },
    async advanceAsync(ms) {
      if (advancing)
        throw new Error('The clock is already being moved: await advanceAsync() before the next one')
      const until = end(ms)
      advancing = true
      try {
        do await settle()
        while (runNext(until))
        now = Math.max(now, until)
        await settle()
      } finally {
        advancing = false
      }
    },
    sleep(ms) {
      now = end(ms)
    },
    setWall(at) {
      offset = at - now
    },
  }
}
