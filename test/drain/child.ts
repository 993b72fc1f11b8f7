/** A process that runs a TypeScript file of these tests, as their parent sees it. */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

const JITI = fileURLToPath(new URL('../../node_modules/jiti/lib/jiti-cli.mjs', import.meta.url))
const NODE = fileURLToPath(new URL('./node.ts', import.meta.url))
/** How long a process may take to start, or to end once its app is closed, in ms. */
const PATIENCE = 60_000

/** How a node ended. */
export interface Ended {
  /** Milliseconds that `app.close()` took, that the event loop was held meanwhile at the most, and of CPU; infinite where it did not end. */
  readonly closedAfter: number
  readonly held: number
  readonly worked: number
  /** The exit code, or the signal that ended it. */
  readonly exit: number | string
}

/** One running test/drain/node.ts. */
export class NodeProcess {
  readonly port: number
  readonly #child: ChildProcess
  #closed: Omit<Ended, 'exit'> = { closedAfter: Number.POSITIVE_INFINITY, held: 0, worked: 0 }

  constructor(child: ChildProcess, port: number) {
    this.#child = child
    this.port = port
    child.on('message', (message: Omit<Ended, 'exit'>) => {
      this.#closed = message
    })
  }

  /** Sends SIGTERM and waits for its end; kills it, and says so, where it does not come within `ms`. */
  async stop(ms = PATIENCE): Promise<Ended> {
    const exit = once(this.#child, 'exit')
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), ms)
    this.#child.kill('SIGTERM')
    const [code, signal] = (await exit) as [number | null, string | null]
    clearTimeout(timer)
    return { ...this.#closed, exit: code ?? signal ?? 'unknown' }
  }

  /** Ends it at once, where it still runs. */
  kill(): void {
    this.#child.kill('SIGKILL')
  }
}

/** Starts a node and waits until it listens. */
export async function startNode(name: string, port: number, grace: number, file = ''): Promise<NodeProcess> {
  const child = fork(JITI, [NODE, name, String(port), String(grace), file], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    execArgv: [],
  })
  const message = once(child, 'message', { signal: AbortSignal.timeout(PATIENCE) })
  const exit = once(child, 'exit').then(([code]) => {
    throw new Error(`${name} ended with ${code} before it listened`)
  })
  try {
    const [{ port: listening }] = (await Promise.race([message, exit])) as [{ port: number }]
    return new NodeProcess(child, listening)
  } catch (error) {
    child.kill('SIGKILL')
    throw error
  }
}
