/** One fault on a running cluster of nodes: load, the fault, the end, and what the checker says. */
import type { ChildProcess } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Durability } from '../../../plugins/index.js'
import { answer, ask, start } from '../child.js'
import { check, type Figures, type Rules } from './checker.js'
import { ghostOf, HALLS, type Plan } from './crew.js'
import type { Command } from './driver.js'
import { type Entry, type Line, lineTime } from './lines.js'
import type { Rig } from './rigs.js'
import { Server } from './servers.js'

/** How large the load is, and how long. */
export interface Load {
  readonly seed: number
  readonly clients: number
  /** What each client does in a second, about. */
  readonly rate: number
  /** Before the fault, and again behind it. */
  readonly seconds: number
}

/** What a fault is given. */
export interface Stage {
  readonly servers: readonly Server[]
  /** One of them. */
  server(n: number): Server
  /** Writes down what was done, just now. */
  note(what: string): void
  /** The client of a node's address that does not come back goes, or has just gone; nobody may see it once `within` ms are over. */
  gone(n: number, within: number): void
  /** That client goes by itself. */
  leave(n: number): Promise<void>
}

/** A fault, and what it may do. */
export interface Scenario {
  readonly name: string
  readonly run: (load: Load, tell: (line: string) => void) => Promise<Outcome>
}

/** What came of it. */
export interface Outcome {
  readonly ok: boolean
  readonly seconds: number
  readonly figures: Figures
  /** How often each kind of complaint was made, and the first few. */
  readonly complaints: Readonly<Record<string, number>>
  readonly first: readonly string[]
  /** Where the lines are, where it is not ok. */
  readonly file?: string
}

/** What a fault may do; what is absent is the strictest. */
export interface Allowed extends Partial<Rules> {
  /** Whether there are clients that do not come back. Default true. */
  readonly ghosts?: boolean
  readonly durability?: Durability
  /** Whether the fault can be seen in the figures: otherwise nothing was tried. */
  readonly seen: (figures: Figures) => boolean
}

/** Complaints that are told in full. */
const MAX_TOLD = 8

/** Makes a scenario of a kind of Redis and what is done to it. */
export function scenario<R extends Rig>(
  name: string,
  rig: () => Promise<R>,
  allowed: Allowed,
  act: (stage: Stage, rig: R) => Promise<void>,
): Scenario {
  return {
    name,
    async run(load, tell) {
      const began = performance.now()
      const folder = mkdtempSync(join(tmpdir(), `ackord-faults-${name}-`))
      const file = join(folder, 'clients.jsonl')
      const rules: Rules = { gaps: [], loses: false, counts: true, flickers: 0, ...allowed }
      const own = await play(await rig(), act, {
        load,
        file,
        rules,
        ghosts: allowed.ghosts ?? true,
        durability: allowed.durability ?? 'memory',
        tell,
      })
      const clients = readFileSync(file, 'utf8').split('\n').slice(0, -1)
      const { complaints, figures } = check([...own, ...clients.map((line): Line => JSON.parse(line))], rules)
      const told = complaints.map(({ kind, text }) => `${kind}: ${text}`)
      if (!allowed.seen(figures)) told.unshift('nothing: the fault cannot be seen in the figures')
      const kinds: Record<string, number> = {}
      for (const text of told) {
        const kind = text.slice(0, text.indexOf(':'))
        kinds[kind] = (kinds[kind] ?? 0) + 1
      }
      const ok = told.length === 0
      if (ok) rmSync(folder, { recursive: true })
      const seconds = Math.round((performance.now() - began) / 100) / 10
      const outcome = { ok, seconds, figures, complaints: kinds, first: told.slice(0, MAX_TOLD) }
      return ok ? outcome : { ...outcome, file }
    },
  }
}

interface Playing {
  readonly load: Load
  readonly file: string
  readonly rules: Rules
  readonly ghosts: boolean
  readonly durability: Durability
  readonly tell: (line: string) => void
}

/** Returns what the run itself wrote down. */
async function play<R extends Rig>(
  rig: R,
  act: (stage: Stage, rig: R) => Promise<void>,
  { load, file, rules, ghosts, durability, tell }: Playing,
): Promise<readonly Line[]> {
  const lines: Line[] = []
  const write = (entry: Entry): void => void lines.push({ t: lineTime(), who: '', ...entry })
  const servers: Server[] = []
  let driver: ChildProcess | undefined
  try {
    const started = await Promise.allSettled(rig.specs.map((spec) => Server.start(spec, durability)))
    for (const one of started) if (one.status === 'fulfilled') servers.push(one.value)
    for (const one of started) if (one.status === 'rejected') throw one.reason
    const { seed, clients, rate } = load
    const plan: Plan = {
      ...{ seed, clients, rate, file },
      counts: rules.counts,
      ghosts,
      urls: servers.map(({ url }) => url),
    }
    const crew = start(new URL('./driver.ts', import.meta.url), JSON.stringify(plan))
    driver = crew
    await answer(crew)
    const tellCrew = (command: Command): Promise<unknown> => ask(crew, command)
    await tellCrew({ type: 'enter' })
    await tellCrew({ type: 'load' })
    await sleep(load.seconds * 1000)
    const stage: Stage = {
      servers,
      server(n) {
        const server = servers[n]
        if (server === undefined) throw new Error(`no node ${n}`)
        return server
      },
      note(what) {
        tell(what)
        write({ type: 'fault', what })
      },
      gone: (n, within) => write({ type: 'gone', room: HALLS[0], user: ghostOf(n), within }),
      leave: async (n) => void (await tellCrew({ type: 'leave', front: n })),
    }
    await act(stage, rig)
    await sleep(load.seconds * 1000)
    tell('the fault is over')
    await tellCrew({ type: 'settle' })
    return lines
  } finally {
    driver?.kill('SIGKILL')
    await Promise.all(servers.map((server) => server.remove()))
    await rig.remove()
  }
}
