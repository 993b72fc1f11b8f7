import { expect, it } from 'vitest'
import { roll } from './rolling.js'
import { describeWithNginx } from './with-nginx.js'

describeWithNginx('a rolling restart behind nginx', () => {
  for (const sticky of [true, false]) {
    it(`loses no call, runs none twice, and interrupts nobody: ${sticky ? 'sticky' : 'evenly spread'}`, async () => {
      const { calls, byNode, ...rest } = await roll({ rounds: 1, clients: 6, sticky })
      expect(rest).toMatchObject({
        ok: true,
        restarts: 2,
        failed: {},
        notOnce: 0,
        interruptions: 0,
        badEnds: [],
      })
      expect(calls).toBeGreaterThan(100)
      expect(Math.min(...Object.values(byNode))).toBeGreaterThan(0)
    }, 240_000)
  }
})
