/** A Redis server of a test's own: on a free port, without a file, ended with the test. */
import { spawnSync } from 'node:child_process'
import type { Redis } from 'ioredis'
import { describe, onTestFinished } from 'vitest'
import { serverClock } from '../../contract/server-clock.js'
import { type HubOptions, type RedisClient, RedisHub } from '../../plugins/redis/index.js'
import { quietLog } from '../rate-limit/support.js'
import { freePort } from './ports.js'
import { type ClientOptions, COMMAND, RedisProcess } from './redis-process.js'

/** Whether Redis is installed. Missing, its tests are skipped with a word; on CI (`CI=true`) they fail. */
export const hasRedis = spawnSync(COMMAND, ['--version']).status === 0

/** `describe` of what needs a Redis server. */
export const describeWithRedis: typeof describe | typeof describe.skip = (() => {
  if (hasRedis) return describe
  if (process.env.CI === 'true') throw new Error(`${COMMAND} is missing, and on CI nothing is skipped`)
  console.warn(`SKIPPED: the tests that need ${COMMAND}, which is not installed`)
  return describe.skip
})()

/** A running Redis server. */
export class TestRedis extends RedisProcess {
  /** A client that is connected, and ends with the test. */
  async connect(options: ClientOptions = {}): Promise<Redis> {
    const client = this.client(options)
    onTestFinished(() => client.disconnect())
    await client.connect()
    return client
  }
}

/** Starts a Redis server that ends with the test. `args`: of its command line. */
export async function startRedis(...args: string[]): Promise<TestRedis> {
  const redis = new TestRedis(await freePort(), { args })
  onTestFinished(() => redis.remove())
  await redis.start()
  return redis
}

/** A hub that has tried to connect, and ends with the test. */
export async function openHub(client: RedisClient, options: Partial<HubOptions> = {}): Promise<RedisHub> {
  const hub = new RedisHub(client, {
    prefix: 'ackord',
    clock: serverClock,
    log: quietLog().log,
    random: Math.random,
    ...options,
  })
  onTestFinished(() => hub.close())
  await hub.start()
  return hub
}
