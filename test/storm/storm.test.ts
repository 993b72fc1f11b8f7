import { describe, expect, it } from 'vitest'
import { storm } from './storm.js'

describe('clients that come back all at once', () => {
  // The long run is `npm run storm`.
  it('are let in or told when to come again, and all are in at the end', { timeout: 240_000 }, async () => {
    const options = { maxUpgrades: 20, maxUnauthenticated: 40, maxAuthentications: 2 }
    const { problems, refusals } = await storm({
      connections: 300,
      options,
      second: 20,
      progress: () => {},
    })
    expect(problems).toEqual([])
    // Ten of them at a time may wait for their token from one address: the caps were met.
    expect(refusals['429']).toBeGreaterThan(0)
  })
})
