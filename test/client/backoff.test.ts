import { describe, expect, it } from 'vitest'
import { delayOf } from '../../client/backoff.js'

describe('delayOf', () => {
  const backoff = { base: 500, max: 30_000 }

  it('is whole milliseconds', () => {
    expect(delayOf(backoff, 3, 1 / 3)).toBe(1333)
  })

  it('spreads over the whole window, which doubles with each failure up to `max`', () => {
    for (const [failures, window] of [
      [0, 500],
      [1, 1000],
      [5, 16_000],
      [6, 30_000],
      [2000, 30_000],
    ] as const) {
      expect(delayOf(backoff, failures, 0)).toBe(0)
      expect(delayOf(backoff, failures, 0.5)).toBe(window / 2)
      expect(delayOf(backoff, failures, 0.999_999)).toBeLessThan(window)
    }
  })
})
