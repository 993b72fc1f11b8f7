import { expect, it } from 'vitest'
import { fuzz } from './fuzz.js'

// The long run is `npm run fuzz`, whose seed is another each time.
it('20,000 frames, right ones and broken ones, broken bytes and broken handshakes leave the server as it was', {
  timeout: 240_000,
}, async () => {
  const { faults, problems, held, ...counted } = await fuzz({ frames: 20_000, warmUp: 10_000, seed: 1 })
  expect({ faults, problems }).toEqual({ faults: [], problems: [] })
  expect(new Set(Object.values(held))).toEqual(new Set([0]))
  // That there was something to find: connections of all kinds of ends, refusals, and somebody who was served all the time.
  expect(counted.frames).toBeGreaterThan(30_000)
  expect(Object.keys(counted.closes)).toEqual(
    expect.arrayContaining([
      '1000',
      '1002',
      '1003',
      '1007',
      '1009',
      '4500',
      '4501',
      '4502',
      '4503',
      '4504',
      '4506',
      '4510',
    ]),
  )
  expect(Object.keys(counted.answers)).toEqual(
    expect.arrayContaining(['101', '400', '401', '403', '404', '426']),
  )
  expect(counted.healthyRounds).toBeGreaterThan(0)
})
