/** A Redis Cluster of real processes. Knows nothing of vitest: whoever starts one ends it. */
import { Cluster, type ClusterOptions } from 'ioredis'
import { freePort } from './ports.js'
import { RedisProcess, settled } from './redis-process.js'

const SLOTS = 16_384
/** Milliseconds of silence after which a server is taken for dead by the others. */
const NODE_TIMEOUT_MS = 1500

/** One server of a Cluster. */
export interface ClusterServer {
  readonly process: RedisProcess
  /** As the Cluster names it. */
  readonly id: string
}

/** A running Cluster: `masters` share all slots evenly and in their order, `replicas[i]` follows `masters[i]`. */
export class TestCluster {
  readonly masters: readonly ClusterServer[]
  readonly replicas: readonly ClusterServer[]

  constructor(masters: readonly ClusterServer[], replicas: readonly ClusterServer[]) {
    this.masters = masters
    this.replicas = replicas
  }

  get servers(): readonly ClusterServer[] {
    return [...this.masters, ...this.replicas]
  }

  /** A client that knows all servers, not connected. Its errors are what a test makes happen. */
  client(options: Omit<ClusterOptions, 'redisOptions'> = {}): Cluster {
    const nodes = this.servers.map(({ process }) => ({ host: '127.0.0.1', port: process.port }))
    const client = new Cluster(nodes, { lazyConnect: true, ...options })
    client.on('error', () => {})
    return client
  }

  /** Moves a slot, with what is in it, from one master to another; `pause` is awaited while it is on its way. */
  async migrate(
    slot: number,
    from: ClusterServer,
    to: ClusterServer,
    pause: () => Promise<void> = async () => {},
  ): Promise<void> {
    await to.process.command('cluster', 'setslot', slot, 'importing', from.id)
    await from.process.command('cluster', 'setslot', slot, 'migrating', to.id)
    await pause()
    for (;;) {
      const keys = await from.process.command('cluster', 'getkeysinslot', slot, 100)
      if (!Array.isArray(keys) || keys.length === 0) break
      const target = ['127.0.0.1', to.process.port, '', 0, 5000]
      await from.process.command('migrate', ...target, 'keys', ...keys.map(String))
    }
    await to.process.command('cluster', 'setslot', slot, 'node', to.id)
    await from.process.command('cluster', 'setslot', slot, 'node', to.id)
  }

  /** Resolves once all that answer say that the Cluster serves all slots. */
  async healthy(): Promise<void> {
    await settled('a Cluster that is ok', async () => {
      const infos = await Promise.allSettled(
        this.servers.map(({ process }) => process.command('cluster', 'info')),
      )
      const told = infos.flatMap((info) => (info.status === 'fulfilled' ? [String(info.value)] : []))
      return told.length > 0 && told.every((info) => isWhole(info))
    })
  }

  /** Resolves once a replica has taken over, and all that answer know. */
  async promoted(replica: ClusterServer): Promise<void> {
    await settled('a replica that took over', async () =>
      String(await replica.process.command('role')).startsWith('master'),
    )
    await this.healthy()
  }

  /** Ends all of it. */
  async remove(): Promise<void> {
    await Promise.all(this.servers.map(({ process }) => process.remove()))
  }
}

/** Starts a Cluster; with replicas it survives the loss of a master after 2 s or so. */
export async function startCluster(masters = 3, { replicas = false } = {}): Promise<TestCluster> {
  const servers = await Promise.all(Array.from({ length: replicas ? 2 * masters : masters }, startServer))
  const cluster = new TestCluster(servers.slice(0, masters), servers.slice(masters))
  try {
    await join(cluster)
    return cluster
  } catch (error) {
    await cluster.remove()
    throw error
  }
}

async function startServer(): Promise<ClusterServer> {
  const args = ['--cluster-enabled', 'yes', '--cluster-port', String(await freePort())]
  args.push('--cluster-node-timeout', String(NODE_TIMEOUT_MS), '--cluster-require-full-coverage', 'no')
  args.push('--cluster-replica-validity-factor', '0', '--repl-diskless-sync-delay', '0')
  const process = await RedisProcess.make({ args })
  await process.start()
  return { process, id: String(await process.command('cluster', 'myid')) }
}

async function join({ masters, replicas, servers }: TestCluster): Promise<void> {
  for (const [i, { process }] of masters.entries()) {
    const [from, to] = [i, i + 1].map((n) => Math.floor((n * SLOTS) / masters.length))
    await process.command('cluster', 'addslotsrange', from ?? 0, (to ?? 0) - 1)
  }
  for (const [i, { process }] of servers.entries())
    await process.command('cluster', 'set-config-epoch', i + 1)
  const [first, ...others] = servers
  for (const { process } of others) await meet(first?.process, process)
  await settled('servers that know each other', async () => {
    const told = await Promise.all(servers.map(({ process }) => process.command('cluster', 'info')))
    return told.every((info) => String(info).includes(`cluster_known_nodes:${servers.length}\r`))
  })
  for (const [i, { process }] of replicas.entries())
    await process.command('cluster', 'replicate', masters[i]?.id ?? '')
  await settled('replicas that follow', async () => {
    const told = await Promise.all(replicas.map(({ process }) => process.command('info', 'replication')))
    return told.every((info) => String(info).includes('master_link_status:up'))
  })
  await settled('a Cluster that is ok', async () => {
    const told = await Promise.all(servers.map(({ process }) => process.command('cluster', 'info')))
    return told.every((info) => isWhole(String(info)))
  })
}

async function meet(one: RedisProcess | undefined, other: RedisProcess): Promise<void> {
  const bus = await other.command('config', 'get', 'cluster-port')
  const port = Array.isArray(bus) ? String(bus[1]) : ''
  await one?.command('cluster', 'meet', '127.0.0.1', other.port, port)
}

const isWhole = (info: string): boolean =>
  info.includes('cluster_state:ok') && info.includes(`cluster_slots_ok:${SLOTS}`)
