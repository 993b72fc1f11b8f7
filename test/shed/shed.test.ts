import { describe, expect, it } from 'vitest'
import { weather } from './shed.js'

describe('members of a server that newcomers storm', () => {
  // What they feel is measured by `npm run shed`.
  it('have each call answered, while newcomers are let in or told when to come again', async () => {
    const experiment = { members: 20, rate: 100, publications: 10, seconds: 1, atOnce: 500, cost: 2048 }
    // A turn of a millisecond, and a line of thirty.
    const { storm, arrivals, lost } = await weather(experiment, { maxLag: 30 })
    expect([storm.calls.count, storm.unanswered, lost]).toEqual([100, 0, 0])
    expect(arrivals.welcomed).toBeGreaterThan(0)
    expect(arrivals.refused).toBeGreaterThan(0)
    expect(arrivals.others).toEqual({})
  }, 60_000)
})
