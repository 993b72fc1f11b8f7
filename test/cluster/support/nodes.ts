/** Several servers of the small contract on one Redis, in one process. */
import Fastify from 'fastify'
import { Redis } from 'ioredis'
import { onTestFinished } from 'vitest'
import type { ClusterHost } from '../../../plugins/cluster/cluster-memory.js'
import { RedisCluster } from '../../../plugins/cluster/cluster-redis.js'
import { type Cluster, clusterOf } from '../../../plugins/cluster/index.js'
import { RedisHub } from '../../../plugins/redis/index.js'
import { startRedis, type TestRedis } from '../../support/redis.js'
import { type ServerOptions, startServer, type TestServer } from '../../support/server.js'
import { until } from '../../support/until.js'

/** A server and what it is to the others. */
export interface ServerNode extends TestServer {
  readonly cluster: Cluster
  readonly id: string
}

/** Starts one more node on a Redis. */
export async function startNode(port: number, options: ServerOptions = {}): Promise<ServerNode> {
  const redis = new Redis(port, '127.0.0.1', { lazyConnect: true })
  redis.on('error', () => {})
  onTestFinished(() => redis.disconnect())
  const server = await startServer({ redis, ...options })
  const cluster = clusterOf(server.gateway)
  return { ...server, cluster, id: cluster.node }
}

/** Starts a Redis and so many nodes; they know each other. */
export async function startNodes(
  count: number,
  options: ServerOptions = {},
): Promise<{ redis: TestRedis; nodes: ServerNode[] }> {
  const redis = await startRedis()
  const nodes = await Promise.all(Array.from({ length: count }, () => startNode(redis.port, options)))
  await until(() => nodes.every(({ cluster }) => cluster.nodes().length === count))
  return { redis, nodes }
}

/** A node's cluster alone, without a server of connections. */
export async function redisCluster(port: number, host: ClusterHost): Promise<RedisCluster> {
  const redis = new Redis(port, '127.0.0.1', { lazyConnect: true })
  redis.on('error', () => {})
  const log = Fastify().log
  const hub = new RedisHub(redis, { prefix: 'test', clock: host.clock, log, random: Math.random })
  const cluster = new RedisCluster(host, hub)
  onTestFinished(async () => {
    await cluster.close()
    await hub.close()
    redis.disconnect()
  })
  await hub.start()
  await cluster.start()
  return cluster
}
