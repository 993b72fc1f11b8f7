/** How long to wait before trying again. */

/** In ms. */
export interface Backoff {
  readonly base: number
  readonly max: number
}

/**
 * Full jitter: whole milliseconds between 0 and `base · 2^failures`, at most `max`. `failures` counts those before this one;
 * `random` is in 0 ≤ n < 1.
 */
export const delayOf = ({ base, max }: Backoff, failures: number, random: number): number =>
  Math.floor(random * Math.min(max, base * 2 ** failures))
