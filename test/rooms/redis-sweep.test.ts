import { describe, expect, it } from 'vitest'
import { createClock } from '../../client/testing/clock.js'
import { RESYNC_MS, SWEEP_MS, SWEEP_TICK_MS, Sweep, type Swept } from '../../plugins/rooms/redis/sweep.js'

class Feed implements Swept {
  readonly room: string
  heard = false
  behind = false
  failing = false
  checks = 0

  constructor(room: string) {
    this.room = room
  }

  async check(): Promise<void> {
    this.checks++
    this.behind = this.failing
    if (this.failing) throw new Error('Redis is away')
  }
}

function start(count: number) {
  const clock = createClock()
  const feeds = new Map(Array.from({ length: count }, (_, i) => [`room ${i}`, new Feed(`room ${i}`)]))
  let away = false
  const sweep = new Sweep({ clock, random: () => 0.5, feeds, canCheck: () => !away })
  sweep.wake()
  return {
    clock,
    sweep,
    feeds,
    all: [...feeds.values()],
    setAway: (isAway: boolean) => {
      away = isAway
    },
    /** Lets time pass, look by look. */
    async pass(ms: number) {
      for (let left = ms; left > 0; left -= SWEEP_TICK_MS) {
        clock.advance(Math.min(left, SWEEP_TICK_MS))
        await new Promise((resolve) => setImmediate(resolve))
      }
    },
  }
}

describe.each([1, 59, 61, 1000])('a sweep of %i feeds', (count) => {
  it('checks each that heard nothing once a minute, and spreads that', async () => {
    const { all, pass } = start(count)
    await pass(SWEEP_MS / 2)
    const half = all.filter(({ checks }) => checks === 1).length
    expect(Math.abs(half - count / 2)).toBeLessThanOrEqual(count / 10 + 30)
    await pass(SWEEP_MS / 2)
    expect(new Set(all.map(({ checks }) => checks))).toEqual(new Set([1]))
    await pass(SWEEP_MS)
    expect(new Set(all.map(({ checks }) => checks))).toEqual(new Set([2]))
  })
})

describe('a sweep', () => {
  it('leaves out a feed that heard something, until it has heard nothing for a minute', async () => {
    const { all, pass } = start(2)
    const [quiet, busy] = all
    if (quiet === undefined || busy === undefined) throw new Error('two were made')
    busy.heard = true
    await pass(SWEEP_MS)
    expect([quiet.checks, busy.checks]).toEqual([1, 0])
    await pass(SWEEP_MS)
    expect([quiet.checks, busy.checks]).toEqual([2, 1])
  })

  it('tries one that is behind again with each look, and no more once it is not', async () => {
    const { all, pass } = start(1)
    const [feed] = all
    if (feed === undefined) throw new Error('one was made')
    feed.behind = true
    feed.failing = true
    await pass(5 * SWEEP_TICK_MS)
    expect(feed.checks).toBeGreaterThanOrEqual(4)
    feed.failing = false
    await pass(SWEEP_TICK_MS)
    const { checks } = feed
    await pass(SWEEP_TICK_MS * 10)
    expect(feed.checks).toBe(checks)
  })

  it('checks all once when Redis is back, within the time for that, and asks nothing while it is away', async () => {
    const { all, pass, sweep, setAway, clock } = start(500)
    for (const feed of all) feed.heard = true
    setAway(true)
    for (const feed of all) feed.behind = true
    await pass(10 * SWEEP_TICK_MS)
    expect(all.some(({ checks }) => checks > 0)).toBe(false)
    setAway(false)
    sweep.resync()
    await pass(RESYNC_MS)
    expect(new Set(all.map(({ checks }) => checks))).toEqual(new Set([1]))
    sweep.close()
    expect(clock.pending).toBe(0)
  })

  it('needs no timer where there is nothing to look after', async () => {
    const { feeds, pass, clock } = start(3)
    feeds.clear()
    await pass(2 * SWEEP_TICK_MS)
    expect(clock.pending).toBe(0)
  })
})
