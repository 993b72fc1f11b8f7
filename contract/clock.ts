/** Time, handed in: both sides take a Clock, so that a test can run a year of it in a second. */

/** A timer that a Clock made. Opaque. */
export type Timer = object | number

/** Time as ackord sees it. */
export interface Clock {
  /** Milliseconds from an arbitrary start; never goes back. */
  now(): number
  /** Milliseconds since 1970; may jump. */
  wall(): number
  /** Calls back once, not before `ms` have passed; at most 2,147,483,647 ms, about 24 days. */
  setTimeout(callback: () => void, ms: number): Timer
  clearTimeout(timer: Timer): void
}

// Taken at load, so that fake timers a user installs later do not stop the connection.
const { setTimeout: set, clearTimeout: clear } = globalThis

/** The machine's clock. A client's: a Node process that waits to connect again, or for a queued call, is not over. */
export const systemClock: Clock = {
  now: () => performance.now(),
  wall: () => Date.now(),
  setTimeout: (callback, ms) => set(callback, ms),
  clearTimeout: (timer) => clear(timer as unknown as number),
}
