/** A process of redis-server, of any kind. Knows nothing of vitest: the faults use it as well. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis, type RedisOptions } from 'ioredis'
import { freePort } from './ports.js'
import { DEADLINE } from './waiters.js'

/** What a test may set of a client. */
export type ClientOptions = Omit<RedisOptions, 'replyMapping' | 'protocol'>

/** Milliseconds that a server has for one command of a test's. */
const ANSWER_MS = 3000

export const COMMAND = 'redis-server'

// A process that is ended in the middle of a test leaves none behind, and no files.
const running = new Set<ChildProcess>()
const folders = new Set<string>()
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL')
  for (const folder of folders) rmSync(folder, { recursive: true, force: true })
})

/** How a server is to be. */
export interface ServerSettings {
  /** Of its command line, such as `['--requirepass', 'secret']`. */
  readonly args?: readonly string[]
  /** Lines of a configuration that the server may rewrite, as a Sentinel does. */
  readonly config?: readonly string[]
}

/** A server on one port, started and ended as often as a test likes. What it held in memory is gone with each. */
export class RedisProcess {
  readonly port: number
  /** What it may write to; gone with `remove`. */
  readonly folder: string
  readonly #settings: ServerSettings
  #child: ChildProcess | undefined

  constructor(port: number, settings: ServerSettings = {}) {
    this.port = port
    this.#settings = settings
    this.folder = mkdtempSync(join(tmpdir(), 'ackord-redis-'))
    folders.add(this.folder)
    if (settings.config !== undefined) writeFileSync(this.#config, settings.config.join('\n'))
  }

  /** Of a free port. */
  static async make(settings: ServerSettings = {}): Promise<RedisProcess> {
    return new RedisProcess(await freePort(), settings)
  }

  get #config(): string {
    return join(this.folder, 'redis.conf')
  }

  /** Starts the process, again after `kill`. Resolves once it listens. */
  async start(): Promise<void> {
    const { args = [], config } = this.#settings
    const common = ['--port', String(this.port), '--bind', '127.0.0.1', '--dir', this.folder]
    const files = config === undefined ? ['--save', '', '--appendonly', 'no'] : []
    const child = spawn(COMMAND, [...(config ? [this.#config] : []), ...common, ...files, ...args], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    this.#child = child
    running.add(child)
    child.once('exit', () => running.delete(child))
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error('Redis did not start in time')), DEADLINE)
      let output = ''
      child.stdout.on('data', (chunk) => {
        output = (output + chunk).slice(-10_000)
        if (!/Ready to accept connections|Sentinel ID is/.test(output)) return
        clearTimeout(timer)
        resolve()
      })
      child.once('error', reject)
      child.once('exit', (code) => reject(new Error(`Redis ended with ${code}: ${output}`)))
    })
  }

  /** Ends the process at once, as a crash does. */
  async kill(): Promise<void> {
    const child = this.#child
    this.#child = undefined
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const exit = once(child, 'exit')
    child.kill('SIGKILL')
    await exit
  }

  /** Ends it for good. */
  async remove(): Promise<void> {
    await this.kill()
    rmSync(this.folder, { recursive: true, force: true })
    folders.delete(this.folder)
  }

  /** Stops the process in its tracks: connections stay open and nothing answers. `resume` ends it. */
  freeze(): void {
    this.#child?.kill('SIGSTOP')
  }

  /** Goes on where `freeze` stopped. */
  resume(): void {
    this.#child?.kill('SIGCONT')
  }

  /** A client, not connected. Its errors are what a test makes happen. */
  client(options: ClientOptions = {}): Redis {
    return clientAt(this.port, options)
  }

  /** Sends one command over a connection of its own. */
  async command(name: string, ...args: Array<string | number>): Promise<unknown> {
    // A server that is busy with a script answers no INFO, and takes SCRIPT KILL.
    const options = { retryStrategy: () => null, commandTimeout: ANSWER_MS, enableReadyCheck: false }
    const client = this.client(options)
    try {
      return await client.call(name, args)
    } finally {
      client.disconnect()
    }
  }
}

/** A client of a port of the loopback, not connected. Its errors are what a test makes happen. */
export function clientAt(port: number, options: ClientOptions = {}): Redis {
  const client = new Redis(port, '127.0.0.1', { retryStrategy: () => 20, lazyConnect: true, ...options })
  client.on('error', () => {})
  return client
}

/** Resolves once `look` holds; each look that rejects is as one that does not. Rejects after 25 s with what was awaited. */
export async function settled(awaited: string, look: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + DEADLINE
  for (;;) {
    if (await look().catch(() => false)) return
    if (performance.now() > end) throw new Error(`Waited for ${awaited}: it did not come`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}
