import { setImmediate } from 'node:timers/promises'

/** Turns of the event loop without a delivery that count as quiet: room for `setImmediate` chains on both sides. */
const QUIET_TURNS = 10
const MAX_TURNS = 10_000

let deliveries = 0

/** Says that a network has just delivered something; `settle` then waits on. */
export function delivered(): void {
  deliveries++
}

/**
 * Resolves when no network of this process has bytes in flight and the event loop has been idle for a few turns: every
 * message has arrived, was handled, and was answered. What is stalled, or waits for a paused reader, is at rest, not in
 * flight. Work that leaves the event loop (real timers, real sockets, the thread pool) is not seen: await it yourself.
 * Rejects after 10,000 turns, when two sides answer each other for ever.
 */
export async function settle(): Promise<void> {
  let seen = deliveries
  for (let turn = 0, quiet = 0; quiet < QUIET_TURNS; turn++) {
    if (turn === MAX_TURNS) {
      throw new Error(
        `The network did not settle in ${MAX_TURNS} turns of the event loop: something sends without end. ` +
          'Stop it first, or await what the test needs instead of settle().',
      )
    }
    // One for all networks, as the loop is: a test of several nodes waits for what they tell each other.
    await setImmediate()
    quiet = deliveries === seen ? quiet + 1 : 0
    seen = deliveries
  }
}
