/** Starts and asks the server of the long runs. */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { AckordOptions } from '../../plugins/index.js'

/** How many of each there are. */
export type Held = Readonly<Record<string, number>>

/** What the server is told. */
export type Order = 'look' | 'measure' | 'drop' | 'close' | Crowd

/** So many places are taken as there are: of one address, of the node; or given back. */
export type Crowd = 'crowd-address' | 'crowd-node' | 'no-crowd'

/** The address that has too many connections after `crowd-address`; a proxy's word is taken for it. */
export const CROWDED = '203.0.113.9'

/** What a process holds. */
export interface Measured {
  readonly kind: 'measured'
  readonly descriptors: number
  readonly timers: number
  /** Bytes, garbage collected before. */
  readonly heap: number
  readonly rss: number
  /** Milliseconds by which the event loop was late at most, since the last measure. */
  readonly lag: number
  readonly held: Held
}

/** What the server says. */
export type Report =
  | { readonly kind: 'listening'; readonly port: number }
  | {
      readonly kind: 'held'
      readonly held: Held
      /** Of the app's clock. */
      readonly timers: number
      readonly refused: Readonly<Record<string, number>>
    }
  | Measured

/** Milliseconds the server may take to start or to answer. */
const PATIENCE = 120_000

/** The server, in a process of its own. */
export class Child {
  readonly port: number
  readonly #process: ChildProcess

  constructor(child: ChildProcess, port: number) {
    this.#process = child
    this.port = port
  }

  get url(): string {
    return `ws://127.0.0.1:${this.port}/live`
  }

  /** What is there now. */
  async look(): Promise<Extract<Report, { kind: 'held' }>> {
    return answer(this.#process, 'held', 'look')
  }

  /** The same with descriptors, timers and heap. */
  async measure(): Promise<Measured> {
    return answer(this.#process, 'measured', 'measure')
  }

  /** Takes places, or gives them back; done when it resolves. */
  async crowd(order: Crowd): Promise<void> {
    this.#process.send(order)
    await this.look()
  }

  /** Cuts all connections at once. */
  drop(): void {
    this.#process.send('drop' satisfies Order)
  }

  /** Ends the process. Safe to repeat. */
  async end(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return
    const exit = once(this.#process, 'exit')
    this.#process.kill('SIGKILL')
    await exit
  }
}

/** Starts the server with these options. */
export async function startChild(options: AckordOptions = {}): Promise<Child> {
  const child = fork(fileURLToPath(new URL('./server.ts', import.meta.url)), {
    execArgv: ['--expose-gc', '--import', 'jiti/register'],
    env: { ...process.env, ACKORD_OPTIONS: JSON.stringify(options) },
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  const { port } = await answer(child, 'listening')
  return new Child(child, port)
}

function answer<K extends Report['kind']>(
  child: ChildProcess,
  kind: K,
  order?: Order,
): Promise<Extract<Report, { kind: K }>> {
  return new Promise((resolve, reject) => {
    const end = (act: () => void): void => {
      clearTimeout(timer)
      child.off('message', onMessage)
      child.off('exit', onExit)
      act()
    }
    const fail = (why: string): void => end(() => reject(new Error(`the server ${why}`)))
    const onMessage = (report: Report): void => {
      if (is(report, kind)) end(() => resolve(report))
    }
    const onExit = (code: number | null): void => fail(`ended with ${code}`)
    const timer = setTimeout(() => fail(`said nothing within ${PATIENCE} ms`), PATIENCE)
    child.on('message', onMessage)
    child.once('exit', onExit)
    if (order !== undefined) child.send(order)
  })
}

const is = <K extends Report['kind']>(report: Report, kind: K): report is Extract<Report, { kind: K }> =>
  report.kind === kind
