import { expect, it } from 'vitest'
import { describeWithRedis } from '../support/redis.js'
import { differential, type Tally } from './differential.js'
import type { Profile } from './differential-ops.js'
import { startSide } from './redis-side.js'

// `DIFFERENTIAL_SECONDS=600 npx vitest run test/rooms/differential` goes on for longer, from another seed each time;
// `DIFFERENTIAL_SEED=n` starts at that one.
const seconds = Number(process.env.DIFFERENTIAL_SECONDS ?? 0)
const firstSeed = Number(process.env.DIFFERENTIAL_SEED ?? (seconds > 0 ? Date.now() % 1_000_000_000 : 1))
const RUNS = 18

const PROFILES: readonly Profile[] = ['small', 'plain', 'small', 'heavy', 'small', 'large']

const STEPS = { small: 150, plain: 150, heavy: 100, large: 70 } as const
const WHAT = [
  ...['position', 'no position', 'known id', 'TOO_LARGE', 'NO_HISTORY', 'values', 'lose'],
  ...['read', 'continued', 'epoch', 'forked', 'trimmed', 'tooMany', 'page'],
]

describeWithRedis('the log of a room in memory and in Redis', () => {
  it('answer the same to random operations', { timeout: 60_000 + seconds * 1000 }, async () => {
    const side = await startSide()
    const tally: Tally = new Map()
    const end = Date.now() + seconds * 1000
    let seed = firstSeed
    for (; seed < firstSeed + RUNS || Date.now() < end; seed++) {
      const profile = PROFILES[seed % PROFILES.length] ?? 'small'
      await differential(side, seed, profile, STEPS[profile], tally)
    }
    if (seconds > 0) console.info({ firstSeed, seeds: seed - firstSeed, tally: Object.fromEntries(tally) })
    // That everything was met which could have differed.
    const rare = WHAT.filter((what) => (tally.get(what) ?? 0) < 5)
    expect(rare).toEqual([])
  })
})
