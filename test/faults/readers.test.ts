import { expect, it } from 'vitest'
import { stoppedReaders } from './readers/run.js'

it('holds no more for stopped readers than their cap, and gives the others everything', async () => {
  const cap = 262_144
  const readers = 10
  const experiment = { readers, members: 2, rate: 1000, seconds: 1, bytes: 4000, cap }
  const { before, after, rssBound, with: latency } = await stoppedReaders(experiment, () => {})
  // They were full: what they did not get was dropped, and they are still members.
  expect(after.buffered).toBeGreaterThan(0.5 * readers * cap)
  expect(after.dropped).toBeGreaterThan(before.dropped)
  expect([after.closed, after.members]).toEqual([0, 12])
  expect(after.most).toBeLessThanOrEqual(cap + 8000)
  // A garbage collector gives back when it likes: half as much again as the bound would be a leak.
  expect(after.rss - before.rss).toBeLessThan(1.5 * (rssBound - before.rss) + 20_000_000)
  expect(latency.received).toBeGreaterThanOrEqual(2 * (1000 - after.behind))
}, 60_000)
