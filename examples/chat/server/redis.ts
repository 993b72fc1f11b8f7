/** A Redis of the example's own, for trying out: in a folder that goes with it, reached by a socket file, keeping nothing. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** One that runs. */
export interface LocalRedis {
  /** What ioredis takes for an address. */
  readonly path: string
  /** Resolves when it is gone, and its folder. */
  stop(): Promise<void>
}

/** There is none on this machine; the message says what to do. */
export class NoRedis extends Error {
  constructor() {
    super(`
  Two nodes need a Redis between them, and there is no redis-server on this machine. Install it:

    Debian, Ubuntu   sudo apt install redis-server
    macOS            brew install redis

  or say where one is:

    docker run --rm --publish 6379:6379 redis
    REDIS_URL=redis://localhost:6379 npm run start:cluster
`)
  }
}

/** Starts it; `onEnd` is called where it ends by itself. Rejects with NoRedis where it is not installed. */
export async function startRedis(onEnd: () => void): Promise<LocalRedis> {
  const folder = await mkdtemp(join(tmpdir(), 'ackord-chat-'))
  const path = join(folder, 'redis.sock')
  const options = ['--port', '0', '--unixsocket', path, '--dir', folder, '--save', '', '--appendonly', 'no']
  // In a process group of its own: Ctrl+C is for the nodes first.
  const server = spawn('redis-server', options, { stdio: ['ignore', 'pipe', 'inherit'], detached: true })
  const gone = new Promise<void>((resolve) => server.once('close', () => resolve()))
  const remove = () => rm(folder, { recursive: true, force: true })
  try {
    await once(server, 'spawn')
  } catch (error) {
    await remove()
    throw error instanceof Error && 'code' in error && error.code === 'ENOENT' ? new NoRedis() : error
  }
  let said = ''
  for await (const chunk of server.stdout.setEncoding('utf8').iterator({ destroyOnReturn: false })) {
    said += chunk
    if (/ready to accept connections/i.test(said)) break
  }
  if (server.exitCode !== null || server.stdout.readableEnded) {
    await remove()
    throw new Error(`redis-server did not start:\n${said}`)
  }
  server.stdout.resume()
  server.once('exit', onEnd)
  return {
    path,
    async stop() {
      server.removeListener('exit', onEnd)
      server.kill()
      await gone
      await remove()
    },
  }
}
