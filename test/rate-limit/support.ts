/** What the tests of rate limits share. */

import { Writable } from 'node:stream'
import type { FastifyBaseLogger } from 'fastify'
import Fastify from 'fastify'
import type { Rate } from '../../plugins/rate-limit/buckets.js'

/** Lines are parsed. */
export function quietLog(): { log: FastifyBaseLogger; lines: Array<Record<string, unknown>> } {
  const lines: Array<Record<string, unknown>> = []
  const stream = new Writable({
    write(chunk, _encoding, done) {
      lines.push(JSON.parse(String(chunk)))
      done()
    },
  })
  return { log: Fastify({ logger: { level: 'debug', stream } }).log, lines }
}

/** `max` calls in so many seconds. */
export function rateOf(max: number, seconds: number): Rate {
  const every = Math.floor((seconds * 1e6) / max)
  return { id: `test:${max}/${seconds}`, every, burst: every * max }
}

/** Whole numbers below a bound: the same ones each time, so that a failure can be run again. */
export function seeded(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}
