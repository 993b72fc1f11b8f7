/** Each kind of Redis that nodes are put on, real processes. Knows nothing of vitest. */
import { startCluster, type TestCluster } from '../../support/redis-cluster.js'
import { RedisProcess, settled } from '../../support/redis-process.js'
import { startSentinel, type TestSentinel } from '../../support/redis-sentinel.js'
import { startProxy, type TcpProxy } from '../../support/tcp-proxy.js'
import type { RedisSpec } from './node.js'

/** How many nodes there are. */
export const NODES = 3

/** A Redis, and how each node reaches it. */
export interface Rig {
  readonly specs: readonly RedisSpec[]
  remove(): Promise<void>
}

/** One server, which each node reaches over a link of its own. */
export interface SingleRig extends Rig {
  readonly server: RedisProcess
  readonly links: readonly TcpProxy[]
}

/** A primary and its replica, with a link between the two; nodes reach `front`. */
export interface PairRig extends Rig {
  readonly primary: RedisProcess
  readonly replica: RedisProcess
  readonly link: TcpProxy
  readonly front: TcpProxy
}

/** A group under Sentinel. */
export interface SentinelRig extends Rig {
  readonly group: TestSentinel
}

/** Three masters, each with a replica. */
export interface ClusterRig extends Rig {
  readonly cluster: TestCluster
}

const toAll = (spec: RedisSpec): readonly RedisSpec[] => Array.from({ length: NODES }, () => spec)

/** Starts one server. */
export async function single(): Promise<SingleRig> {
  const server = await RedisProcess.make()
  await server.start()
  const links = await Promise.all(Array.from({ length: NODES }, () => startProxy(server.port, { own: true })))
  return {
    server,
    links,
    specs: links.map(({ port }) => ({ kind: 'single', port })),
    async remove() {
      await Promise.all(links.map((link) => link.close()))
      await server.remove()
    },
  }
}

/** Starts a pair; resolves once the replica follows. */
export async function pair(): Promise<PairRig> {
  const primary = await RedisProcess.make({ args: ['--repl-diskless-sync-delay', '0'] })
  await primary.start()
  const link = await startProxy(primary.port, { own: true })
  const replica = await RedisProcess.make({ args: ['--replicaof', `127.0.0.1 ${link.port}`] })
  await replica.start()
  const front = await startProxy(primary.port, { own: true })
  await settled('a replica that follows', async () =>
    String(await replica.command('info', 'replication')).includes('master_link_status:up'),
  )
  return {
    ...{ primary, replica, link, front },
    specs: toAll({ kind: 'single', port: front.port }),
    async remove() {
      await Promise.all([link.close(), front.close(), primary.remove(), replica.remove()])
    },
  }
}

/** Starts a primary with two replicas and three Sentinels. */
export async function sentinel(): Promise<SentinelRig> {
  const group = await startSentinel(2)
  const client = group.client()
  const name = client.options.name ?? ''
  client.disconnect()
  const ports = group.sentinels.map(({ port }) => port)
  return { group, specs: toAll({ kind: 'sentinel', ports, name }), remove: () => group.remove() }
}

/** Starts a Cluster. */
export async function cluster(): Promise<ClusterRig> {
  const servers = await startCluster(3, { replicas: true })
  const ports = servers.servers.map(({ process }) => process.port)
  return { cluster: servers, specs: toAll({ kind: 'cluster', ports }), remove: () => servers.remove() }
}
