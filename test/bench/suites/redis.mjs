/** Two nodes and Redis: what node A publishes reaches 10 receivers at node B. */
import { twoNodes } from '../harness/site.mjs'

/** @type {import('../harness/suite.mjs').Suite} */
export default {
  name: 'redis',
  site: twoNodes,
  baseline: 'redis-adapter',
  peers: ['redis-streams-adapter', 'plain-publish', 'ackord-recoverable'],
  connections: 10,
  unit: 'µs of CPU of both nodes and Redis per publication',
  scenarios: [
    { name: '32 in flight', inFlight: 32 },
    { name: '1,000/s', rate: 1000 },
    { name: 'single', inFlight: 1 },
    { name: 'burst of 16', inFlight: 16, burst: true },
  ],
  goals: [
    { scenario: '32 in flight', against: 'redis-adapter', atMost: 0.25 },
    { scenario: '32 in flight', of: 'rate', against: 'redis-adapter', atLeast: 4 },
    { scenario: '1,000/s', against: 'redis-adapter', atMost: 0.75 },
    { scenario: '1,000/s', of: 'p99', atMost: 10 },
    ...recoverable('single', 'plain-publish', 4),
    ...recoverable('burst of 16', 'plain-publish', 2),
    ...recoverable('single', 'redis-streams-adapter', 1),
    ...recoverable('burst of 16', 'redis-streams-adapter', 1),
  ],
}

/**
 * What a publication that is kept costs Redis.
 * @param {string} scenario
 * @param {string} against
 * @param {number} atMost
 */
function recoverable(scenario, against, atMost) {
  return [{ subject: 'ackord-recoverable', scenario, of: 'redis', against, atMost }]
}
