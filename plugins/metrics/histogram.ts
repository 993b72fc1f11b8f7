/** How long something took, in few numbers. */

/**
 * Upper bounds of the buckets of a histogram in ms, each twice the one before: 0.25, 0.5, 1, 2 … 65,536. A time is counted in the first
 * bucket whose bound it does not exceed, and in no other: the counts are not cumulative. One more bucket holds all that took longer.
 */
export const LATENCY_BUCKETS_MS: readonly number[] = Array.from({ length: 19 }, (_, i) => 2 ** (i - 2))

/** Counts times. */
export class Histogram {
  count = 0
  /** Of all times, in ms. */
  sum = 0
  readonly buckets: number[] = Array.from({ length: LATENCY_BUCKETS_MS.length + 1 }, () => 0)

  add(ms: number): void {
    this.count++
    this.sum += ms
    const place = ms <= 0.25 ? 0 : Math.min(Math.ceil(Math.log2(ms)) + 2, LATENCY_BUCKETS_MS.length)
    this.buckets[place] = (this.buckets[place] ?? 0) + 1
  }
}
