/** A run: so many frames, broken ones and right ones, against one server, and what it is like afterwards. */
import { setTimeout as sleep } from 'node:timers/promises'
import { Case, type Counts, type Fault } from './case.js'
import { type Child, type Measured, startChild } from './child.js'
import { handshakeTalk } from './handshakes.js'
import { healthyClient } from './healthy.js'
import { byteTalk, politeTalk, wildTalk } from './talk.js'

/** Cases at once. */
const LANES = 16
/** Faults after which a run ends: more would say the same. */
const MAX_FAULTS = 10
/** Frames before the first measure: what is compiled and cached on the way is there by then. */
const WARM_UP = 30_000
/** Bytes that RSS may grow by, and the heap after garbage collection; the frames of a run are many times that. */
const RSS_TOLERANCE = 16 * 1024 * 1024
const HEAP_TOLERANCE = 8 * 1024 * 1024
/** Milliseconds until the server has to have let go of everything. */
const PATIENCE = 15_000

/** What is run. */
export interface FuzzOptions {
  readonly frames: number
  readonly seed: number
  /** Frames before the first measure. */
  readonly warmUp?: number
  /** Only this case. */
  readonly only?: number | undefined
  readonly progress?: (line: string) => void
}

/** What was found. */
export interface Fuzzed extends Counts {
  readonly ok: boolean
  readonly seed: number
  readonly cases: number
  readonly seconds: number
  /** Rounds of the healthy client, and the slowest in ms. */
  readonly healthyRounds: number
  readonly slowestMs: number
  readonly rssBefore: number
  readonly rssAfter: number
  /** Bytes it may have grown by; beyond, the run is not `ok`. */
  readonly rssTolerance: number
  readonly heapBefore: number
  readonly heapAfter: number
  readonly heapTolerance: number
  readonly descriptorsBefore: number
  readonly descriptorsAfter: number
  /** What the server still held when everybody had gone; all 0. */
  readonly held: Readonly<Record<string, number>>
  readonly problems: readonly string[]
  readonly faults: readonly Fault[]
}

/** Kinds of cases, and how often each comes. */
const KINDS = [...fill(politeTalk, 6), ...fill(wildTalk, 8), ...fill(byteTalk, 3), ...fill(handshakeTalk, 3)]

function fill<T>(value: T, times: number): T[] {
  return Array.from({ length: times }, () => value)
}

/** Runs it. Rejects where the server does not start. */
export async function fuzz(options: FuzzOptions): Promise<Fuzzed> {
  const child = await startChild()
  try {
    return await new Run(child, options).all()
  } finally {
    await child.end()
  }
}

class Run {
  readonly #child: Child
  readonly #options: FuzzOptions
  readonly #counts: Counts = { frames: 0, handshakes: 0, closes: {}, answers: {} }
  readonly #running = new Set<number>()
  readonly #faults: Fault[] = []
  readonly #problems = new Set<string>()
  #next = 0
  // It did not let go of everybody: what comes behind would say the same.
  #leaks = false

  constructor(child: Child, options: FuzzOptions) {
    this.#child = child
    this.#options = options
    // The log names no case: one of those that run then.
    child.onFault = (what) => this.#problem(`${what} while these cases ran: ${[...this.#running].join(' ')}`)
  }

  async all(): Promise<Fuzzed> {
    const started = performance.now()
    const { frames, seed, only, warmUp = Math.min(frames, WARM_UP) } = this.#options
    if (only === undefined) await this.#phase(() => this.#counts.frames >= warmUp)
    const before = await this.#settled()
    const stop = new AbortController()
    const healthy = healthyClient(this.#child.url, stop.signal)
    const end = this.#counts.frames + frames
    if (only === undefined) await this.#phase(() => this.#counts.frames >= end)
    else await this.#case(only)
    stop.abort()
    const served = await healthy
    for (const fault of served.faults) this.#problem(fault)
    const after = await this.#settled()
    if (only === undefined) this.#compare(before, after)
    return {
      ok: this.#faults.length === 0 && this.#problems.size === 0,
      seed,
      cases: this.#next,
      ...this.#counts,
      seconds: Math.round((performance.now() - started) / 100) / 10,
      healthyRounds: served.rounds,
      slowestMs: served.slowest,
      rssBefore: before?.rss ?? 0,
      rssAfter: after?.rss ?? 0,
      rssTolerance: RSS_TOLERANCE,
      heapBefore: before?.heap ?? 0,
      heapAfter: after?.heap ?? 0,
      heapTolerance: HEAP_TOLERANCE,
      descriptorsBefore: before?.descriptors ?? 0,
      descriptorsAfter: after?.descriptors ?? 0,
      held: after?.held ?? {},
      problems: [...this.#problems],
      faults: this.#faults,
    }
  }

  get #over(): boolean {
    return this.#faults.length + this.#problems.size >= MAX_FAULTS || !this.#child.alive || this.#leaks
  }

  async #phase(isDone: () => boolean): Promise<void> {
    let told = performance.now()
    const lane = async (): Promise<void> => {
      while (!isDone() && !this.#over) {
        await this.#case(this.#next++)
        if (performance.now() - told < 5000) continue
        told = performance.now()
        this.#options.progress?.(
          `${this.#counts.frames} frames, ${this.#next} cases, ${this.#faults.length} faults`,
        )
      }
    }
    await Promise.all(Array.from({ length: LANES }, lane))
  }

  async #case(number: number): Promise<void> {
    const { seed, progress } = this.#options
    const run = new Case(seed, number, this.#child.port, this.#counts, (fault) => {
      if (this.#faults.length >= MAX_FAULTS) return
      this.#faults.push(fault)
      progress?.(`FAULT ${fault.what} (--seed ${fault.seed} --case ${fault.case}) ${fault.sent.join('\n  ')}`)
    })
    this.#running.add(number)
    try {
      await run.dice.pick(KINDS)(run)
    } catch (error) {
      run.fault(String(error))
    }
    this.#running.delete(number)
  }

  #problem(what: string): void {
    this.#problems.add(what)
    this.#options.progress?.(`PROBLEM ${what}`)
  }

  /** The server as it is once it has let go of everybody; undefined where it is not there any more. */
  async #settled(): Promise<Measured | undefined> {
    for (
      const end = performance.now() + PATIENCE;
      this.#child.alive && performance.now() < end;
      await sleep(10)
    ) {
      const { held } = await this.#child.answer('held', 'look')
      if (Object.values(held).every((n) => n === 0)) break
    }
    if (!this.#child.alive) return undefined
    const measured = await this.#child.answer('measured', 'measure')
    const left = Object.entries(measured.held).filter(([, n]) => n > 0)
    this.#leaks = left.length > 0
    if (this.#leaks) this.#problem(`left: ${left.map(([name, n]) => `${n} ${name}`).join(', ')}`)
    return measured
  }

  #compare(before: Measured | undefined, after: Measured | undefined): void {
    if (before === undefined || after === undefined) return
    const rss = after.rss - before.rss
    const heap = after.heap - before.heap
    if (rss > RSS_TOLERANCE) this.#problem(`RSS grew by ${rss} bytes`)
    if (heap > HEAP_TOLERANCE) this.#problem(`the heap grew by ${heap} bytes`)
    if (after.descriptors > before.descriptors)
      this.#problem(`descriptors: ${before.descriptors}, then ${after.descriptors}`)
  }
}
