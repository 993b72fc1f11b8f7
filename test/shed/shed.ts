/** Members, and a storm of newcomers: what the members feel of it, and what becomes of the newcomers. */
import type { AckordOptions } from '../../plugins/index.js'
import { answer, ask, start } from '../faults/child.js'
import { Members, type Seen } from './members.js'
import type { Arrivals, Storm } from './newcomers.js'
import type { Figures, Setup } from './server.js'

/** How large the experiment is. */
export interface Experiment {
  readonly members: number
  /** Calls a second, of all members together. */
  readonly rate: number
  /** Publications a second, each to all members. */
  readonly publications: number
  /** Seconds of calm, and of the storm. */
  readonly seconds: number
  /** Newcomers on their way at a time. */
  readonly atOnce: number
  /** scrypt's N for one token. */
  readonly cost: number
}

/** What came out of one server's life. */
export interface Outcome {
  readonly calm: Seen
  readonly storm: Seen
  readonly arrivals: Arrivals
  /** Of the server, during the storm. */
  readonly lag: number
  readonly verification: number
  readonly refused: Readonly<Record<string, number>>
  /** Members that were disconnected. */
  readonly lost: number
}

/** Runs it once, on a server of its own with these options. */
export async function weather(experiment: Experiment, options: AckordOptions): Promise<Outcome> {
  const { members: count, rate, publications, seconds, atOnce, cost } = experiment
  const setup: Setup = { options, cost, publications }
  const server = start(new URL('./server.ts', import.meta.url), JSON.stringify(setup))
  const newcomers = start(new URL('./newcomers.ts', import.meta.url))
  const members = new Members()
  try {
    const [{ port }] = await Promise.all([answer<Figures>(server), answer(newcomers)])
    await members.enter(port, count)
    // Warm.
    await members.call(rate, 1000)
    const calm = await members.call(rate, seconds * 1000)
    await ask<Figures>(server, {})
    const order: Storm = { port, ms: seconds * 1000, atOnce }
    const arrived = ask<Arrivals>(newcomers, order)
    const storm = await members.call(rate, seconds * 1000)
    const arrivals = await arrived
    const { lag, verification, refused } = await ask<Figures>(server, {})
    return { calm, storm, arrivals, lag, verification, refused, lost: members.lost }
  } finally {
    members.leave()
    if (server.connected) server.disconnect()
    if (newcomers.connected) newcomers.disconnect()
  }
}
