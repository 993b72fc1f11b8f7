import { describe, expect, it } from 'vitest'
import { createClock } from '../../client/testing/index.js'
import { MemoryBuckets } from '../../plugins/rate-limit/memory.js'
import { rateOf, seeded } from './support.js'

const setUp = (max: number, seconds: number, most?: number) => {
  const clock = createClock()
  const buckets = new MemoryBuckets(rateOf(max, seconds), clock, most)
  /** How many of `n` calls are let in. */
  const burst = (key: string, n: number) =>
    Array.from({ length: n }, () => buckets.take(key)).filter((wait) => wait === 0).length
  return { clock, buckets, burst }
}

describe('a bucket', () => {
  it('lets in as many at once as it holds, whatever the numbers, and then one at a time', () => {
    for (const [max, seconds] of [
      [1, 1],
      [3, 10],
      [7, 60],
      [1000, 1],
      [999, 7],
      [10_000, 1],
    ] as const) {
      const { clock, burst } = setUp(max, seconds)
      expect([max, burst('ann', max + 5)]).toEqual([max, max])
      clock.advance(Math.ceil((seconds * 1000) / max))
      expect(burst('ann', max >= 1000 ? 1 : 5)).toBe(1)
    }
  })

  it('is full again after its seconds, and never fuller', () => {
    const { clock, burst } = setUp(20, 10)
    expect(burst('ann', 25)).toBe(20)
    clock.advance(10_000)
    expect(burst('ann', 25)).toBe(20)
    clock.advance(3_600_000)
    expect(burst('ann', 25)).toBe(20)
  })

  it('says truly in how many µs one is let in: not before, but then', () => {
    const { clock, buckets } = setUp(3, 10)
    for (let i = 0; i < 3; i++) buckets.take('ann')
    for (let i = 0; i < 50; i++) {
      const wait = buckets.take('ann')
      expect(wait).toBeGreaterThan(0)
      expect(buckets.wait('ann')).toBe(wait)
      clock.advance(Math.max(1, Math.floor(wait / 1000) - 1))
      expect(buckets.take('ann')).toBeGreaterThan(0)
      clock.advance(2 + Math.ceil(wait / 1000) - Math.floor(wait / 1000))
      expect(buckets.take('ann')).toBe(0)
    }
  })

  it('is not emptied further by calls that are refused', () => {
    const { clock, buckets, burst } = setUp(2, 10)
    expect(burst('ann', 500)).toBe(2)
    clock.advance(5000)
    expect(buckets.take('ann')).toBe(0)
  })

  it('is of one key alone, and takes back what is given back', () => {
    const { buckets, burst } = setUp(2, 10)
    expect(burst('ann', 3)).toBe(2)
    expect(burst('ben', 3)).toBe(2)
    buckets.giveBack('ann')
    expect(burst('ann', 3)).toBe(1)
    buckets.giveBack('somebody who took nothing')
    expect(burst('somebody who took nothing', 3)).toBe(2)
  })

  it('can be blocked for a time', () => {
    const { clock, buckets } = setUp(5, 10)
    buckets.block('ann', 1_500_000)
    expect(buckets.take('ann')).toBe(1_500_000)
    clock.advance(1500)
    expect(buckets.take('ann')).toBe(0)
  })
})

describe('those who are refused', () => {
  it('are told a time of their own each, and are let in when they come then', () => {
    const { clock, buckets } = setUp(4, 2)
    for (let i = 0; i < 4; i++) buckets.take('ann')
    const times = Array.from({ length: 30 }, () => buckets.postpone('ann', buckets.take('ann')))
    expect(times).toEqual(Array.from({ length: 30 }, (_, i) => (i + 1) * 500_000))
    for (let i = 0; i < 30; i++) {
      clock.advance(500)
      expect([i, buckets.take('ann')]).toEqual([i, 0])
    }
  })

  it('are told no more than ten fillings ahead, however many there are', () => {
    const { clock, buckets } = setUp(4, 2)
    for (let i = 0; i < 4; i++) buckets.take('ann')
    let last = 0
    for (let i = 0; i < 1000; i++) last = buckets.postpone('ann', buckets.take('ann'))
    expect(last).toBe(20_000_000)
    // Nobody came. What was promised to others keeps nobody out.
    clock.advance(2000)
    expect(buckets.take('ann')).toBe(0)
  })
})

describe('the buckets of a limit', () => {
  it('are forgotten once they are full, and not before', () => {
    const { clock, buckets, burst } = setUp(4, 10)
    for (let i = 0; i < 1000; i++) buckets.take(`user ${i}`)
    clock.advance(9_999)
    burst('user 7', 4)
    clock.advance(9_999)
    expect(buckets.wait('user 7')).toBe(0)
    expect(buckets.take('user 7')).toBe(0)
    clock.advance(10_000)
    buckets.take('ann')
    clock.advance(10_000)
    buckets.take('ann')
    expect(buckets.size).toBe(1)
    for (let i = 0; i < 1000; i++) buckets.take(`user ${i}`)
    clock.advance(20_000)
    expect(buckets.take('ann')).toBe(0)
    expect(buckets.size).toBe(1)
  })

  it('are bounded: who comes later shares one, and nobody gains a fresh one by making others', () => {
    const { clock, buckets, burst } = setUp(4, 10, 100)
    expect(burst('ann', 10)).toBe(4)
    for (let i = 0; i < 20_000; i++) buckets.take(`a name ${i}`)
    expect(buckets.size).toBeLessThanOrEqual(100 + 1024)
    expect(burst('ann', 10)).toBe(0)
    // Across a turn-over as well.
    clock.advance(10_000)
    expect(burst('ann', 10)).toBe(4)
    for (let i = 0; i < 20_000; i++) buckets.take(`another name ${i}`)
    expect(burst('ann', 10)).toBe(0)
    expect(buckets.size).toBeLessThanOrEqual(100 + 1024)
  })

  it('never let in more than max, and what flowed back, in any stretch of time', () => {
    const random = seeded(7)
    const { clock, buckets } = setUp(5, 2, 3)
    const taken: number[] = []
    let now = 0
    for (let i = 0; i < 5000; i++) {
      const step = random(150)
      now += step
      clock.advance(step)
      buckets.take(`noise ${i % 10}`)
      if (buckets.take('ann') === 0) taken.push(now)
    }
    expect(taken.length).toBeGreaterThan(100)
    for (let i = 0; i + 5 < taken.length; i++) {
      // Six calls need one to flow back, 400 ms; eleven need six, 2,400 ms.
      expect((taken[i + 5] ?? 0) - (taken[i] ?? 0)).toBeGreaterThanOrEqual(400)
      if (i + 10 < taken.length) expect((taken[i + 10] ?? 0) - (taken[i] ?? 0)).toBeGreaterThanOrEqual(2400)
    }
  })
})
