/** A primary, its replicas and the Sentinels that watch them, real processes. Knows nothing of vitest: whoever starts them ends them. */
import { Redis } from 'ioredis'
import { type ClientOptions, RedisProcess, settled } from './redis-process.js'

/** What the Sentinels call the group. */
const GROUP = 'main'
/** Milliseconds of silence after which a Sentinel takes a server for dead. */
const DOWN_AFTER_MS = 1000
const FAILOVER_TIMEOUT_MS = 3000

/** A group of servers under Sentinel. */
export class TestSentinel {
  /** All servers; the first one was the primary at the start. */
  readonly servers: readonly RedisProcess[]
  readonly sentinels: readonly RedisProcess[]

  constructor(servers: readonly RedisProcess[], sentinels: readonly RedisProcess[]) {
    this.servers = servers
    this.sentinels = sentinels
  }

  /** A client that asks the Sentinels, not connected. Its errors are what a test makes happen. */
  client(options: ClientOptions = {}): Redis {
    const sentinels = this.sentinels.map(({ port }) => ({ host: '127.0.0.1', port }))
    const client = new Redis({ sentinels, name: GROUP, lazyConnect: true, ...options })
    client.on('error', () => {})
    return client
  }

  /** The primary, as the first Sentinel that answers says. */
  async primary(): Promise<RedisProcess> {
    const asked = this.sentinels.map(({ command }, i) =>
      command.call(this.sentinels[i], 'sentinel', 'get-master-addr-by-name', GROUP),
    )
    const address = await Promise.any(asked)
    const port = Array.isArray(address) ? Number(address[1]) : Number.NaN
    const found = this.servers.find((server) => server.port === port)
    if (found === undefined) throw new Error(`no server of the group has port ${port}`)
    return found
  }

  /** Makes a replica the primary, with both alive. */
  async failover(): Promise<void> {
    await this.sentinels[0]?.command('sentinel', 'failover', GROUP)
  }

  /** Resolves once another server than `old` is the primary, and takes writes. */
  async promoted(old: RedisProcess): Promise<RedisProcess> {
    await settled('another primary', async () => {
      const now = await this.primary()
      return now !== old && String(await now.command('role')).startsWith('master')
    })
    return this.primary()
  }

  /** Ends all of it. */
  async remove(): Promise<void> {
    await Promise.all([...this.sentinels, ...this.servers].map((server) => server.remove()))
  }
}

/** Starts a primary with replicas, and three Sentinels of which two have to agree. */
export async function startSentinel(replicas = 1): Promise<TestSentinel> {
  const args = ['--repl-diskless-sync-delay', '0']
  const primary = await RedisProcess.make({ args })
  await primary.start()
  const followers = await Promise.all(
    Array.from({ length: replicas }, async () => {
      const replica = await RedisProcess.make({ args: [...args, '--replicaof', `127.0.0.1 ${primary.port}`] })
      await replica.start()
      return replica
    }),
  )
  const config = [
    `sentinel monitor ${GROUP} 127.0.0.1 ${primary.port} 2`,
    `sentinel down-after-milliseconds ${GROUP} ${DOWN_AFTER_MS}`,
    `sentinel failover-timeout ${GROUP} ${FAILOVER_TIMEOUT_MS}`,
    '',
  ]
  const sentinels = await Promise.all(
    Array.from({ length: 3 }, async () => {
      const sentinel = await RedisProcess.make({ config, args: ['--sentinel'] })
      await sentinel.start()
      return sentinel
    }),
  )
  const group = new TestSentinel([primary, ...followers], sentinels)
  try {
    await settled('Sentinels that know everybody', async () => {
      const told = await Promise.all(sentinels.map((each) => each.command('sentinel', 'masters')))
      return told.every((masters) => {
        const fields = Array.isArray(masters) && Array.isArray(masters[0]) ? masters[0].map(String) : []
        const of = (name: string): string | undefined => fields[fields.indexOf(name) + 1]
        return of('num-slaves') === String(replicas) && of('num-other-sentinels') === '2'
      })
    })
    return group
  } catch (error) {
    await group.remove()
    throw error
  }
}
