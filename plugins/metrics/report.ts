/** Logs what changed, at an interval. */
import type { FastifyBaseLogger } from 'fastify'
import type { Clock, Timer } from '../../contract/clock.js'
import type { Stats } from './stats.js'

/** Numbers that changed, under the names they have in the stats. */
export interface Changes {
  readonly [name: string]: number | Changes
}

/** What is different between two readings: how much each number rose or fell, without those that did not, histograms and the uptime. */
export function changesBetween(before: unknown, after: object): Changes {
  const changes: Record<string, number | Changes> = {}
  const old: Readonly<Record<string, unknown>> = Object(before)
  for (const [name, value] of Object.entries(after)) {
    if (name === 'uptime' || Array.isArray(value)) continue
    if (typeof value === 'number') {
      const change = value - Number(old[name] ?? 0)
      if (change !== 0) changes[name] = change
    } else if (typeof value === 'object' && value !== null) {
      const inside = changesBetween(old[name], value)
      if (Object.keys(inside).length > 0) changes[name] = inside
    }
  }
  return changes
}

/** Logs `{ stats, changes }` each `every` ms until the returned function is called; the first time, the changes since it began. */
export function report(clock: Clock, every: number, log: FastifyBaseLogger, read: () => Stats): () => void {
  let last = read()
  let timer: Timer
  const run = (): void => {
    const stats = read()
    log.info({ stats, changes: changesBetween(last, stats) }, 'ackord: stats')
    last = stats
    timer = clock.setTimeout(run, every)
  }
  timer = clock.setTimeout(run, every)
  return () => clock.clearTimeout(timer)
}
