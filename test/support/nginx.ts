/** The nginx of the machine with examples/deploy/nginx.conf, on ports of a test's own. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

const COMMAND = 'nginx'
const SITE = new URL('../../examples/deploy/nginx.conf', import.meta.url)
/** How long it may take to start or to end, in ms. */
const PATIENCE = 5000

/** Whether nginx is installed. */
export const hasNginx = spawnSync(COMMAND, ['-v']).status === 0

/** A running nginx. */
export class Nginx {
  readonly port: number
  readonly #process: ChildProcess
  readonly #directory: string

  constructor(port: number, child: ChildProcess, directory: string) {
    this.port = port
    this.#process = child
    this.#directory = directory
  }

  /** Ends it, and removes its files. */
  async stop(): Promise<void> {
    if (this.#process.exitCode === null && this.#process.signalCode === null) {
      const exit = once(this.#process, 'exit')
      this.#process.kill('SIGTERM')
      const timer = setTimeout(() => this.#process.kill('SIGKILL'), PATIENCE)
      await exit
      clearTimeout(timer)
    }
    rmSync(this.#directory, { recursive: true, force: true })
  }
}

/**
 * Starts nginx with the example's site, in front of two ports. `sticky: false` leaves the line out that the example says may be
 * left out.
 */
export async function startNginx(
  upstreams: readonly [number, number],
  { sticky = true }: { readonly sticky?: boolean } = {},
): Promise<Nginx> {
  const port = await freePort()
  const directory = mkdtempSync(join(tmpdir(), 'ackord-nginx-'))
  const edits: Array<readonly [string, string]> = [
    ['listen 80;', `listen 127.0.0.1:${port};`],
    ['127.0.0.1:3001', `127.0.0.1:${upstreams[0]}`],
    ['127.0.0.1:3002', `127.0.0.1:${upstreams[1]}`],
    ...(sticky ? [] : [['hash $remote_addr consistent;', ''] as const]),
  ]
  writeFileSync(join(directory, 'site.conf'), edits.reduce(replaceOnce, readFileSync(SITE, 'utf8')))
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
  const main = [
    `pid ${directory}/nginx.pid;`,
    'daemon off;',
    // One process, which ends with its test.
    'master_process off;',
    // A process that is away is told as an error, and is what these tests are about.
    'error_log stderr crit;',
    'events { worker_connections 8192; }',
    'http {',
    'access_log off;',
    ...temporary.map((name) => `${name}_temp_path ${directory}/${name};`),
    `include ${directory}/site.conf;`,
    '}',
  ]
  const file = join(directory, 'nginx.conf')
  writeFileSync(file, main.join('\n'))
  const child = spawn(COMMAND, ['-p', directory, '-e', 'stderr', '-c', file], {
    stdio: ['ignore', 'inherit', 'inherit'],
  })
  const nginx = new Nginx(port, child, directory)
  try {
    await listens(port, child)
  } catch (error) {
    await nginx.stop()
    throw error
  }
  return nginx
}

function replaceOnce(text: string, [from, to]: readonly [string, string]): string {
  if (text.split(from).length !== 2) throw new Error(`examples/deploy/nginx.conf has not exactly one ${from}`)
  return text.replace(from, () => to)
}

/** A port that nobody listens on just now. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}

async function listens(port: number, child: ChildProcess): Promise<void> {
  for (const end = performance.now() + PATIENCE; performance.now() < end; await sleep(10)) {
    if (child.exitCode !== null) throw new Error(`nginx ended with ${child.exitCode}`)
    const socket = connect({ port, host: '127.0.0.1' })
    const isOpen = await new Promise<boolean>((resolve) => {
      socket.once('connect', () => resolve(true))
      socket.once('error', () => resolve(false))
    })
    socket.destroy()
    if (isOpen) return
  }
  throw new Error('nginx did not start in time')
}
