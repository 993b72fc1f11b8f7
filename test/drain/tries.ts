/** Closes loaded servers again and again. */
import { startNode } from './child.js'
import { type Mix, putLoad } from './load.js'

/** The grace time of the servers, in ms. */
export const GRACE = 1000
/** What a machine with other work to do may add to a timer, in ms. */
const LATENESS = 250

/** One try. */
export interface Try {
  readonly mix: Mix
  /** What was wrong; empty where all was right. */
  readonly wrong: readonly string[]
  /** Milliseconds that `app.close()` took. */
  readonly closedAfter: number
  /** The machine had no time for the process. */
  readonly starved: boolean
}

/** Starts a process with a load, sends SIGTERM at a random moment, and looks how it ends. */
export async function tryOnce(random: () => number): Promise<Try> {
  const some = (most: number): number => Math.floor(random() * (most + 1))
  const mix: Mix = {
    callers: some(6),
    endless: some(2),
    streams: some(2),
    stopped: some(6),
    floods: some(2),
    halfOpen: some(9),
    slowTokens: some(4),
    silent: some(2),
  }
  const node = await startNode('node', 0, GRACE)
  let takeOff = (): void => {}
  try {
    takeOff = await putLoad(`ws://127.0.0.1:${node.port}/live`, mix)
    await new Promise((resolve) => setTimeout(resolve, random() * 300))
    const { closedAfter, held, worked, exit } = await node.stop()
    // A process that the machine lets wait cannot be in time: its timers ring late by as much, a few of them one after the other.
    const starved = held > LATENESS / 2 && worked < closedAfter / 2
    const wrong = []
    if (closedAfter > GRACE + LATENESS + (starved ? 4 * held : 0)) {
      const [took, loop, cpu] = [closedAfter, held, worked].map(Math.round)
      wrong.push(
        `app.close() took ${took} ms; the event loop was held for ${loop}, with ${cpu} ms of CPU in all`,
      )
    }
    if (exit !== 0) wrong.push(`it ended with ${exit}`)
    return { mix, wrong, closedAfter, starved }
  } finally {
    takeOff()
    node.kill()
  }
}

/** Numbers that repeat with their seed: 0 ≤ n < 1. Mulberry32. */
export function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
