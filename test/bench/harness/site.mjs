/** What stands on the server's side of a measurement: one process, or two nodes and the Redis between them. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { CAN_PIN, Child } from './child.mjs'
import { fromRoot } from './peer.mjs'

/** @import { SuiteName } from './peer.mjs' */

export const LOAD_CORE = 0
const SERVER_CORE = 1
const SERVER = new URL('./server.mjs', import.meta.url)

/**
 * @typedef {object} Site
 * @property {() => Promise<object>} start serves a peer; gives what the load generator connects to
 * @property {() => Promise<Record<string, number>>} cpu CPU time of each part so far, µs
 * @property {() => Promise<void>} stop safe without a start
 */

/**
 * One process that serves.
 * @param {string} file of the peer
 * @param {SuiteName} suite
 * @returns {Site}
 */
export function oneServer(file, suite) {
  const server = new Child('server', SERVER, SERVER_CORE)
  return {
    start: () => server.ask('serve', { file, suite }),
    cpu: async () => ({ server: await server.ask('cpu') }),
    stop: () => server.stop(),
  }
}

/**
 * Two nodes, both on the core of the servers, and a redis-server beside the load generator. A publishes, B has all the receivers.
 * @param {string} file of the peer
 * @param {SuiteName} suite
 * @returns {Site}
 */
export function twoNodes(file, suite) {
  const [a, b] = [new Child('node A', SERVER, SERVER_CORE), new Child('node B', SERVER, SERVER_CORE)]
  /** @type {Awaited<ReturnType<typeof startRedis>> | undefined} */
  let redis
  return {
    async start() {
      redis = await startRedis()
      const { triggerPort } = /** @type {{ triggerPort: number }} */ (
        await a.ask('serve', { file, suite, redis: redis.path })
      )
      const { port } = /** @type {{ port: number }} */ (
        await b.ask('serve', { file, suite, redis: redis.path })
      )
      return { port, triggerPort }
    },
    async cpu() {
      if (redis === undefined) throw new Error('not started')
      return { a: await a.ask('cpu'), b: await b.ask('cpu'), redis: await redis.cpu() }
    },
    async stop() {
      await Promise.all([a.stop(), b.stop()])
      await redis?.stop()
    },
  }
}

/** A redis-server that keeps nothing, reached by a socket file as on one machine; where processes are pinned, it has the core of the load. */
async function startRedis() {
  const folder = await mkdtemp(join(tmpdir(), 'ackord-bench-'))
  const path = join(folder, 'redis.sock')
  const options = ['--port', '0', '--unixsocket', path, '--dir', folder, '--save', '', '--appendonly', 'no']
  const [command, ...args] = CAN_PIN
    ? ['taskset', '-c', String(LOAD_CORE), 'redis-server', ...options]
    : ['redis-server', ...options]
  const server = spawn(command, args, { stdio: ['ignore', 'pipe', process.stderr.fd] })
  const gone = once(server, 'exit')
  await ready(server).catch(async (error) => {
    await rm(folder, { recursive: true, force: true })
    throw error
  })
  /** @type {import('ioredis').Redis} */
  const client = new (fromRoot('ioredis').Redis)(path)
  return {
    path,
    /** CPU time of all its threads so far, µs. */
    async cpu() {
      const info = await client.info('cpu')
      const seconds = (/** @type {string} */ kind) =>
        Number(new RegExp(`used_cpu_${kind}:([\\d.]+)`).exec(info)?.[1])
      return (seconds('user') + seconds('sys')) * 1e6
    },
    async stop() {
      client.disconnect()
      server.kill()
      await gone
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/** @param {import('node:child_process').ChildProcess} server */
function ready(server) {
  return new Promise((resolve, reject) => {
    server.once('error', () => reject(new Error('redis-server is not installed: apt install redis-server')))
    server.once('exit', (code) => reject(new Error(`redis-server ended with ${code}; is it installed?`)))
    server.stdout?.on('data', (chunk) => /ready to accept/i.test(String(chunk)) && resolve(undefined))
  })
}
