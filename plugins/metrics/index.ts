/** `app.ackord.stats()`: what the gateway counts, and calls by name and code. docs/metrics.md. */
import type { FastifyPluginAsync } from 'fastify'
import fp from 'fastify-plugin'
import { appLimit, type Mount } from '../gateway/index.js'
import { CallTally } from './call-tally.js'
import { report } from './report.js'
import { readStats, type Stats } from './stats.js'

declare module '../namespace/types.js' {
  interface AckordDecorator {
    /** What happens on this node and what happened since its start. A plain object of its own each time; docs/metrics.md. */
    stats(): Stats
  }
}

/** Registers metrics; needs the gateway and the typed face they hang on. */
export const metricsPlugin: FastifyPluginAsync = fp(
  async (app) => {
    const { addHook, gateway } = app.ackordGateway
    const since = gateway.clock.now()
    const tallies = new Map<Mount, CallTally>()
    addHook('onMount', (mount) => {
      tallies.set(mount, new CallTally(mount))
    })
    addHook('onAnswer', (answer) => tallies.get(answer.call.mount)?.add(answer))
    const stats = (): Stats => readStats(gateway, since, tallies)
    Object.assign(app.ackord, { stats })

    const every = appLimit('statsEvery', gateway.options)
    if (every === 0) return
    let stop: (() => void) | undefined
    app.addHook('onReady', async () => {
      stop = report(gateway.clock, every, app.log, stats)
    })
    app.addHook('onClose', async () => stop?.())
  },
  { name: '@ackord/metrics', fastify: '5.x', dependencies: ['@ackord/gateway', '@ackord/namespace'] },
)

export { LATENCY_BUCKETS_MS } from './histogram.js'
export type { CallStats, NamespaceStats, Stats } from './stats.js'
