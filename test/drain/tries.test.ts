import { expect, it } from 'vitest'
import { seeded, tryOnce } from './tries.js'

// `npm run drain` tries it a hundred times.
it('app.close() under load ends within its grace time, and the process by itself', async () => {
  for (const seed of [1, 2, 3]) {
    const { mix, wrong } = await tryOnce(seeded(seed))
    expect({ mix, wrong }).toEqual({ mix, wrong: [] })
  }
}, 240_000)
