/** The chat example as its user has it: built, and run as a process. */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const root = fileURLToPath(new URL('../../..', import.meta.url))
const start = 'examples/chat/build/server/start.js'
const startCluster = 'examples/chat/build/server/cluster.js'
/** Milliseconds a server may take to print its address. */
const START_WITHIN = 20_000

/** Type-checks and builds server and page. The package must be built. Rejects with the compiler's words. */
export async function buildExample(): Promise<void> {
  if (!existsSync(`${root}/dist/plugins/index.js`))
    throw new Error('dist/ is missing: run `npm run build` first')
  await promisify(execFile)('npm', ['run', 'build:chat', '--silent'], { cwd: root }).catch(
    (error: unknown) => {
      const said = error instanceof Error && 'stdout' in error ? String(error.stdout) : ''
      throw new Error(`npm run build:chat failed\n${said}`, { cause: error })
    },
  )
}

/** A running server. */
export interface Example {
  readonly url: string
  readonly port: number
  /** What it wrote to standard output and error. */
  readonly output: () => string
  /** Ends it at once, as a crash would; resolves when it is gone. Safe to repeat. */
  readonly kill: () => Promise<void>
}

/** Starts the server on a port, 0 for a free one; resolves when it prints its address. */
export async function startExample(port = 0): Promise<Example> {
  const child = spawn(process.execPath, [start], {
    cwd: root,
    env: { ...process.env, PORT: String(port), HOST: '127.0.0.1', NODE_ENV: 'production' },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  const kill = async () => {
    child.kill('SIGKILL')
    await gone
  }
  const output = collect(child)
  try {
    const url = await address(child, output)
    return { url, port: Number(new URL(url).port), output, kill }
  } catch (error) {
    await kill()
    throw error
  }
}

/** The chat on two nodes: `npm run start:cluster`. */
export interface ExampleCluster {
  /** One of each node. */
  readonly urls: readonly string[]
  readonly output: () => string
  /** Asks it to end, as Ctrl+C and systemd do, and resolves with its exit code. Safe to repeat. */
  readonly stop: () => Promise<number | null>
}

/** Starts two nodes and their Redis; resolves when they print where they are, or with no address where it ends before. */
export async function startExampleCluster(env: NodeJS.ProcessEnv = {}): Promise<ExampleCluster> {
  const child = spawn(process.execPath, [startCluster], {
    cwd: root,
    env: { ...process.env, PORT: '0', HOST: '127.0.0.1', NODE_ENV: 'production', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const gone = new Promise<number | null>((resolve) => child.once('close', resolve))
  const output = collect(child)
  const urls = () => output().match(/http:\/\/127\S+/g) ?? []
  const timer = setTimeout(() => child.kill(), START_WITHIN)
  await Promise.race([
    gone,
    new Promise<void>((resolve) => child.stdout?.on('data', () => urls().length === 2 && resolve())),
  ])
  clearTimeout(timer)
  const stop = () => {
    child.kill('SIGTERM')
    return gone
  }
  return { urls: urls(), output, stop }
}

function collect(child: ChildProcess): () => string {
  let text = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk
    })
  }
  return () => text
}

function address(child: ChildProcess, output: () => string): Promise<string> {
  return new Promise((resolve, reject) => {
    const fail = (why: string) => reject(new Error(`the example ${why}\n${output()}`))
    const timer = setTimeout(() => fail(`printed no address within ${START_WITHIN} ms`), START_WITHIN)
    child.once('exit', (code) => {
      clearTimeout(timer)
      fail(`ended with ${code}`)
    })
    child.stdout?.on('data', () => {
      const url = /http:\/\/\S+/.exec(output())?.[0]
      if (url === undefined) return
      clearTimeout(timer)
      resolve(url)
    })
  })
}
