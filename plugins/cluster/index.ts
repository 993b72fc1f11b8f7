/** The cluster: who else serves this app, and questions to them. In memory without `redis`. docs/decisions/cluster.md. */
import type { FastifyPluginAsync } from 'fastify'
import fp from 'fastify-plugin'
import { AckordError } from '../errors.js'
import type { Gateway } from '../gateway/index.js'
import { redisOf } from '../redis/index.js'
import type { Cluster } from './cluster.js'
import { type ClusterHost, MemoryCluster } from './cluster-memory.js'
import { RedisCluster } from './cluster-redis.js'

const clusters = new WeakMap<Gateway, Cluster>()

/** Registers the cluster; needs the gateway and, for more than one node, redis. */
export const clusterPlugin: FastifyPluginAsync = fp(
  async (app) => {
    const { gateway } = app.ackordGateway
    const host: ClusterHost = {
      node: gateway.node,
      clock: gateway.clock,
      counts: () =>
        Object.fromEntries([...gateway.paths].map(([path, { connections }]) => [path, connections.size])),
      onError: (error, what) => app.log.error({ err: error, what }, 'ackord: a message between nodes failed'),
      onUnsent: (error) => app.log.debug({ err: error }, 'ackord: a message to other nodes did not leave'),
    }
    const hub = redisOf(gateway)
    if (hub === undefined) {
      clusters.set(gateway, new MemoryCluster(host))
    } else {
      const cluster = new RedisCluster(host, hub)
      clusters.set(gateway, cluster)
      app.addHook('onReady', () => cluster.start())
    }
    app.addHook('onClose', () => clusterOf(gateway).close())
  },
  { name: '@ackord/cluster', fastify: '5.x', dependencies: ['@ackord/gateway', '@ackord/redis'] },
)

/** The cluster of an app. Throws ACKORD_PLUGIN_MISSING. */
export function clusterOf(gateway: Gateway): Cluster {
  const found = clusters.get(gateway)
  if (found === undefined) throw new AckordError('ACKORD_PLUGIN_MISSING', '@ackord/cluster')
  return found
}

export * from './cluster.js'
