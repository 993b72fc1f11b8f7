/** A rolling restart of two processes behind nginx, while clients call all the time. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { WebSocket } from 'ws'
import { type Client, createClient } from '../../client/index.js'
import { freePort, startNginx } from '../support/nginx.js'
import { type NodeProcess, startNode } from './child.js'
import { type Calls, descriptor } from './contract.js'

/** The grace time of the servers, in ms. */
const GRACE = 5000
/** Calls that each client has under way. */
const LANES = 4

type Worker = Client<Calls, object, object>

/** What happened. */
export interface Rolled {
  /** Both processes ended by themselves, no call failed, none ran twice, and no client was ever without a connection. */
  readonly ok: boolean
  readonly restarts: number
  readonly calls: number
  /** Calls that failed, by kind and code. */
  readonly failed: Readonly<Record<string, number>>
  /** Calls that were answered and whose handler ran another number of times than once. */
  readonly notOnce: number
  /** Handlers that ran, by process. */
  readonly byNode: Readonly<Record<string, number>>
  /** How often a client that had been connected was not. */
  readonly interruptions: number
  /** Milliseconds that the longest `app.close()` took, and whatever was wrong with the end of a process. */
  readonly slowestClose: number
  readonly badEnds: readonly string[]
}

/** Options of `roll`. */
export interface RollOptions {
  readonly rounds: number
  readonly clients: number
  readonly sticky?: boolean
  readonly tell?: (line: string) => void
}

/** Restarts one process after the other, `rounds` times, while the clients call through nginx. */
export async function roll({
  rounds,
  clients,
  sticky = true,
  tell = () => {},
}: RollOptions): Promise<Rolled> {
  const directory = mkdtempSync(join(tmpdir(), 'ackord-rolling-'))
  const file = (name: string): string => join(directory, name)
  const ports = [await freePort(), await freePort()] as const
  const nodes = new Map<string, { port: number; process: NodeProcess }>()
  const start = async (name: string, port: number): Promise<void> => {
    nodes.set(name, { port, process: await startNode(name, port, GRACE, file(name)) })
  }
  const ends: Array<() => Promise<void> | void> = [() => rmSync(directory, { recursive: true })]
  try {
    ends.push(() => {
      for (const { process } of nodes.values()) process.kill()
    })
    await Promise.all([start('a', ports[0]), start('b', ports[1])])
    const nginx = await startNginx(ports, { sticky })
    ends.push(() => nginx.stop())
    const crew = Array.from({ length: clients }, (_, n) => new Crew(n, nginx.port))
    ends.push(() => {
      for (const member of crew) member.end()
    })
    await Promise.all(crew.map((member) => member.isBusy()))

    const badEnds: string[] = []
    let slowestClose = 0
    for (let round = 0; round < rounds; round++) {
      for (const [name, { port, process }] of [...nodes]) {
        const { closedAfter, exit } = await process.stop()
        slowestClose = Math.max(slowestClose, Math.round(closedAfter))
        if (exit !== 0) badEnds.push(`${name} ended with ${exit}`)
        tell(`${name} closed within ${Math.round(closedAfter)} ms`)
        await start(name, port)
        // What came meanwhile is done, on either.
        await Promise.all(crew.map((member) => member.isBusy()))
      }
    }
    await Promise.all(crew.map((member) => member.finish()))
    return judge(crew, { restarts: rounds * nodes.size, slowestClose, badEnds }, [...nodes.keys()], file)
  } finally {
    for (const end of ends.reverse()) await end()
  }
}

function judge(
  crew: readonly Crew[],
  facts: Pick<Rolled, 'restarts' | 'slowestClose' | 'badEnds'>,
  names: readonly string[],
  file: (name: string) => string,
): Rolled {
  const runs = new Map<string, number>()
  const byNode: Record<string, number> = {}
  for (const name of names) {
    const ids = existsSync(file(name)) ? readFileSync(file(name), 'utf8').split('\n').slice(0, -1) : []
    byNode[name] = ids.length
    for (const id of ids) runs.set(id, (runs.get(id) ?? 0) + 1)
  }
  const answered = crew.flatMap((member) => member.answered)
  const failed: Record<string, number> = {}
  for (const what of crew.flatMap((member) => member.failed)) failed[what] = (failed[what] ?? 0) + 1
  const notOnce = answered.filter((id) => runs.get(id) !== 1).length
  const interruptions = crew.reduce((sum, member) => sum + member.interruptions, 0)
  const ok =
    notOnce + interruptions + facts.badEnds.length === 0 &&
    Object.keys(failed).length === 0 &&
    answered.length > 0
  return { ok, ...facts, calls: answered.length, failed, notOnce, byNode, interruptions }
}

/** One client with calls of every kind under way. */
class Crew {
  readonly answered: string[] = []
  readonly failed: string[] = []
  interruptions = 0
  readonly #client: Worker
  readonly #lanes: Promise<void>[] = []
  readonly #name: string
  #made = 0
  #isOver = false

  constructor(n: number, port: number) {
    this.#name = `c${n}`
    // Each from an address of its own, as nginx sees it.
    class LocalSocket extends WebSocket {
      constructor(url: string, protocols: string[]) {
        super(url, protocols, { localAddress: `127.0.0.${(n % 200) + 10}`, perMessageDeflate: false })
      }
    }
    this.#client = createClient<Calls, object, object>(descriptor, `ws://127.0.0.1:${port}/live`, {
      WebSocket: LocalSocket,
      token: () => this.#name,
      onError: (error) => this.failed.push(`onError ${String(error)}`),
    })
    let wasOpen = false
    this.#client.connection.subscribe(() => {
      const isOpen = this.#client.connection.state === 'open'
      if (wasOpen && !isOpen && !this.#isOver) this.interruptions++
      wasOpen = isOpen
    })
    this.#client.connection.connect()
    for (let lane = 0; lane < LANES; lane++) this.#lanes.push(this.#work(lane))
  }

  /** Resolves once it has been answered ten times more. */
  async isBusy(): Promise<void> {
    const goal = this.answered.length + 10
    for (const end = performance.now() + 20_000; this.answered.length < goal; ) {
      if (performance.now() > end)
        throw new Error(`${this.#name} was not answered: ${this.failed.slice(-3).join(', ')}`)
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
  }

  /** Lets what is under way end. */
  async finish(): Promise<void> {
    this.#isOver = true
    await Promise.all(this.#lanes)
  }

  end(): void {
    this.#isOver = true
    this.#client.close()
  }

  async #work(lane: number): Promise<void> {
    const kinds = ['attempt', 'repeat', 'once', 'count'] as const
    while (!this.#isOver) {
      const number = ++this.#made
      const kind = kinds[(number + lane) % kinds.length] ?? 'attempt'
      const id = `${this.#name}.${number}.${kind}`
      const ms = (number * 7) % 40
      const { calls } = this.#client
      const result =
        kind === 'count'
          ? await calls.count({ id, ms: ms % 10, items: 5 }).result()
          : await calls[kind].result({ id, ms })
      if (result.ok) this.answered.push(id)
      else {
        this.failed.push(`${kind} ${result.error.code}`)
        // Not to spin where there is no connection.
        await new Promise((resolve) => setTimeout(resolve, 10))
      }
    }
  }
}
