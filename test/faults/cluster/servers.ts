/** The nodes of a run, each behind an address that clients keep whatever happens to it. */
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import type { Durability } from '../../../plugins/index.js'
import { startProxy, type TcpProxy } from '../../support/tcp-proxy.js'
import { answer, start } from '../child.js'
import type { NodeSpec, RedisSpec } from './node.js'

const NODE = new URL('./node.ts', import.meta.url)

// A frozen process does not notice that its parent has gone.
const running = new Set<ChildProcess>()
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL')
})

/** One node and its address. */
export class Server {
  /** What clients connect to. */
  readonly front: TcpProxy
  readonly #spec: NodeSpec
  #child: ChildProcess
  /** The port of the node itself. */
  port: number

  constructor(front: TcpProxy, spec: NodeSpec, child: ChildProcess, port: number) {
    this.front = front
    this.#spec = spec
    this.#child = child
    this.port = port
  }

  /** Starts a node, and an address for it. */
  static async start(redis: RedisSpec, durability: Durability): Promise<Server> {
    const spec = { port: 0, redis, durability }
    const { child, port } = await startNode(spec)
    return new Server(await startProxy(port, { own: true }), spec, child, port)
  }

  /** Where clients find it. */
  get url(): string {
    return `ws://127.0.0.1:${this.front.port}/live`
  }

  /** Who connects to its address from now on reaches another one. */
  leadTo(other: Server): void {
    this.front.target = other.port
  }

  /** Ends it without a word. */
  async kill(): Promise<void> {
    const exit = this.#exit()
    this.#child.kill('SIGKILL')
    await exit
  }

  /** Ends it as an update does. Resolves once it has ended; rejects where that was not by itself. */
  async stop(): Promise<void> {
    const exit = this.#exit()
    this.#child.kill('SIGTERM')
    await exit
    const { exitCode, signalCode } = this.#child
    if (exitCode !== 0) throw new Error(`a node that was stopped ended with ${signalCode ?? exitCode}`)
  }

  /** Starts it again after `kill` or `stop`, at its address. */
  async startAgain(): Promise<void> {
    const { child, port } = await startNode(this.#spec)
    this.#child = child
    this.port = port
    this.front.target = port
  }

  /** Stops it in its tracks. */
  freeze(): void {
    this.#child.kill('SIGSTOP')
  }

  /** Goes on where `freeze` stopped. */
  resume(): void {
    this.#child.kill('SIGCONT')
  }

  /** Ends it, and its address. */
  async remove(): Promise<void> {
    await this.kill()
    await this.front.close()
  }

  async #exit(): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) await once(this.#child, 'exit')
  }
}

async function startNode(spec: NodeSpec): Promise<{ child: ChildProcess; port: number }> {
  const child = start(NODE, JSON.stringify(spec))
  running.add(child)
  child.once('exit', () => running.delete(child))
  try {
    return { child, port: (await answer<{ port: number }>(child)).port }
  } catch (error) {
    child.kill('SIGKILL')
    throw error
  }
}
