/** Starts the server under test, asks it, and keeps what goes wrong in it. */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

/** How many of each there are. */
export type Held = Readonly<Record<string, number>>
/** What the server is told. */
export type Order = 'look' | 'measure'

/** What a process holds, garbage collected before; in bytes. */
export interface Measured {
  readonly kind: 'measured'
  readonly heap: number
  readonly rss: number
  /** 0 where the system does not say. */
  readonly descriptors: number
  readonly held: Held
}

/** What the server says. */
export type Report =
  | { readonly kind: 'listening'; readonly port: number }
  | { readonly kind: 'held'; readonly held: Held }
  /** A line of its log, at level error. */
  | { readonly kind: 'log'; readonly line: string }
  | Measured

/** Milliseconds the server may take to start or to answer. */
const PATIENCE = 60_000

/** The server, in a process of its own. */
export class Child {
  port = 0
  /** Of what went wrong in it `onFault` is told: a line of its log, or its end. */
  onFault: (what: string) => void = () => {}
  readonly #process: ChildProcess
  #ending = false

  /** Use `startChild`. */
  constructor(child: ChildProcess) {
    this.#process = child
    child.on('message', (report: Report) => {
      if (report.kind === 'log') this.onFault(`the server logged ${report.line}`)
    })
    child.once('exit', (code, signal) => {
      if (!this.#ending) this.onFault(`the server ended with ${code ?? signal}`)
    })
  }

  get url(): string {
    return `ws://127.0.0.1:${this.port}/live`
  }

  /** Whether its process is there. */
  get alive(): boolean {
    return this.#process.exitCode === null && this.#process.signalCode === null
  }

  /** The next report of a kind, after an order. Rejects where the server ends or says nothing in time. */
  answer<K extends Report['kind']>(kind: K, order?: Order): Promise<Extract<Report, { kind: K }>> {
    return new Promise((resolve, reject) => {
      const end = (act: () => void): void => {
        clearTimeout(timer)
        this.#process.off('message', onMessage)
        this.#process.off('exit', onExit)
        act()
      }
      const fail = (why: string): void => end(() => reject(new Error(`the server ${why}`)))
      const onMessage = (report: Report): void => {
        if (is(report, kind)) end(() => resolve(report))
      }
      const onExit = (code: number | null): void => fail(`ended with ${code}`)
      const timer = setTimeout(() => fail(`said nothing within ${PATIENCE} ms`), PATIENCE)
      this.#process.on('message', onMessage)
      this.#process.once('exit', onExit)
      if (!this.alive) fail('is not there')
      else if (order !== undefined) this.#process.send(order)
    })
  }

  /** Ends the process. Safe to repeat. */
  async end(): Promise<void> {
    this.#ending = true
    if (!this.alive) return
    const exit = once(this.#process, 'exit')
    this.#process.kill('SIGKILL')
    await exit
  }
}

const is = <K extends Report['kind']>(report: Report, kind: K): report is Extract<Report, { kind: K }> =>
  report.kind === kind

/** Starts the server. */
export async function startChild(): Promise<Child> {
  const child = new Child(
    fork(fileURLToPath(new URL('./server.ts', import.meta.url)), {
      execArgv: ['--expose-gc', '--import', 'jiti/register'],
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    }),
  )
  child.port = (await child.answer('listening')).port
  return child
}
