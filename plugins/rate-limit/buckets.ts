/**
 * A bucket is what a limit lets through: it holds `max` calls and fills evenly over its `seconds`, so that after a burst one call is let in
 * each `seconds / max` (the generic cell rate algorithm, ITU-T I.371). Kept by memory.ts on this node, by shared.ts in Redis.
 */

/** How a bucket fills. Times in µs, whole, so that sums are exact. */
export interface Rate {
  /** Names the limit; the same on every node. */
  readonly id: string
  /** µs in which one call flows back. */
  readonly every: number
  /** µs in which an empty bucket fills. */
  readonly burst: number
}
