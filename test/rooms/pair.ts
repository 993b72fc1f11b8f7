/** A primary and its replica, with a link between the two and an address in front that a test can cut and move. */
import type { Redis } from 'ioredis'
import { startRedis, type TestRedis } from '../support/redis.js'
import { startProxy, type TcpProxy } from '../support/tcp-proxy.js'
import { until } from '../support/until.js'

/** All of it ends with the test. */
export interface RedisPair {
  readonly primary: TestRedis
  readonly replica: TestRedis
  /** To the servers themselves. */
  readonly control: { readonly primary: Redis; readonly replica: Redis }
  /** Between the two. */
  readonly link: TcpProxy
  /** What nodes connect to. */
  readonly front: TcpProxy
  /** Makes the replica the primary, and leads nodes there, who lose their connections. */
  promote(): Promise<void>
  /** Resolves once the replica has all that the primary has. */
  settled(): Promise<void>
}

/** Starts both; resolves once the replica follows. */
export async function startPair(): Promise<RedisPair> {
  const [primary, replica] = [await startRedis(), await startRedis()]
  const [link, front] = [await startProxy(primary.port), await startProxy(primary.port)]
  const control = { primary: await primary.connect(), replica: await replica.connect() }
  await control.primary.config('SET', 'repl-diskless-sync-delay', '0')
  await control.replica.config('SET', 'repl-timeout', '60')
  await control.replica.replicaof('127.0.0.1', link.port)
  await until(async () => (await control.replica.info('replication')).includes('master_link_status:up'))
  return {
    primary,
    replica,
    control,
    link,
    front,
    async promote() {
      await control.replica.replicaof('NO', 'ONE')
      front.target = replica.port
      front.cut()
    },
    async settled() {
      await control.primary.set('settled', '1')
      await control.primary.wait(1, 10_000)
    },
  }
}
