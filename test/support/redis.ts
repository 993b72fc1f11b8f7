/** A Redis server of a test's own: on a free port, without a file, ended with the test. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { Redis, type RedisOptions } from 'ioredis'
import { describe, onTestFinished } from 'vitest'
import { DEADLINE } from './waiters.js'

const COMMAND = 'redis-server'

/** Whether Redis is installed. Missing, its tests are skipped with a word; on CI (`CI=true`) they fail. */
export const hasRedis = spawnSync(COMMAND, ['--version']).status === 0

/** `describe` of what needs a Redis server. */
export const describeWithRedis: typeof describe | typeof describe.skip = (() => {
  if (hasRedis) return describe
  if (process.env.CI === 'true') throw new Error(`${COMMAND} is missing, and on CI nothing is skipped`)
  console.warn(`SKIPPED: the tests that need ${COMMAND}, which is not installed`)
  return describe.skip
})()

// A worker that is ended in the middle of a test leaves none behind.
const running = new Set<ChildProcess>()
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL')
})

/** A running Redis server. */
export class TestRedis {
  readonly port: number
  #process: ChildProcess | undefined

  constructor(port: number) {
    this.port = port
  }

  /** Starts the process, again after `kill`: what it held is gone. Resolves once it answers. */
  async start(): Promise<void> {
    const options = ['--port', String(this.port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no']
    const child = spawn(COMMAND, [...options, '--daemonize', 'no'], { stdio: ['ignore', 'pipe', 'inherit'] })
    this.#process = child
    running.add(child)
    child.once('exit', () => running.delete(child))
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error('Redis did not start in time')), DEADLINE)
      let output = ''
      child.stdout.on('data', (chunk) => {
        output += chunk
        if (!output.includes('Ready to accept connections')) return
        clearTimeout(timer)
        resolve()
      })
      child.once('error', reject)
      child.once('exit', (code) => reject(new Error(`Redis ended with ${code}: ${output}`)))
    })
  }

  /** Ends the process at once, as a crash does. */
  async kill(): Promise<void> {
    const child = this.#process
    this.#process = undefined
    if (child === undefined || child.exitCode !== null) return
    const exit = once(child, 'exit')
    child.kill('SIGKILL')
    await exit
  }

  /** Stops the process in its tracks: connections stay open and nothing answers. `resume` ends it. */
  freeze(): void {
    this.#process?.kill('SIGSTOP')
  }

  /** Goes on where `freeze` stopped. */
  resume(): void {
    this.#process?.kill('SIGCONT')
  }

  /** A client that is connected, and ends with the test. Its errors are what a test makes happen. */
  async connect(
    options: Pick<RedisOptions, 'enableOfflineQueue' | 'maxRetriesPerRequest'> = {},
  ): Promise<Redis> {
    const client = new Redis(this.port, '127.0.0.1', {
      retryStrategy: () => 20,
      lazyConnect: true,
      ...options,
    })
    client.on('error', () => {})
    onTestFinished(() => client.disconnect())
    await client.connect()
    return client
  }
}

/** Starts a Redis server that ends with the test. */
export async function startRedis(): Promise<TestRedis> {
  const redis = new TestRedis(await freePort())
  onTestFinished(() => redis.kill())
  await redis.start()
  return redis
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new Error('No port was given')
  return address.port
}
