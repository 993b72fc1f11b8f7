/** The revocations of a namespace, for all nodes: a stream is the truth, a question to the others only has them look. docs/decisions/sessions.md. */
import type { FastifyBaseLogger } from 'fastify'
import type { Clock, Timer } from '../../contract/clock.js'
import { type RedisHub, RedisUnavailable, script } from '../redis/index.js'
import { type Revocation, readRevocation, revocationText } from './revocation.js'

const ADD = script('revocation-add')
const READ = script('revocation-read')
/** Revocations that are kept, at the least, while they count. */
export const MAX_REVOCATIONS = 10_000
/** Milliseconds between two looks. */
export const LOOK_MS = 2000
/** Revocations that are read at a time. */
const PAGE = 500
/** Revocations that are known to have been read: a page behind what is read again. */
const MAX_KNOWN = 2000
/** Milliseconds by which what was read is read again when Redis is back: a server that took over may have others. */
const REWIND_MS = 60_000
const START = '0-0'

/** What a log works with. */
export interface RevocationLogHost {
  readonly hub: Pick<RedisHub, 'prefix' | 'canRun' | 'onHealth' | 'run'>
  readonly clock: Clock
  readonly log: FastifyBaseLogger
  /** This node's name. */
  readonly node: string
  /** The namespace's path. */
  readonly path: string
  /** Takes what another node has revoked, `ms` ago; returns how many connections were meant. */
  apply(revocation: Revocation, ms: number): number
}

/** One per namespace and node. */
export class RevocationLog {
  readonly #host: RevocationLogHost
  readonly #key: string
  // By id, the last that were applied: how many connections each meant.
  readonly #known = new Map<string, number>()
  #cursor = START
  #running: Promise<unknown> = Promise.resolve()
  #next: Promise<void> | undefined
  #timer: Timer | undefined
  #endHealth: (() => void) | undefined
  // Redis was away since the last read began.
  #isDoubtful = false
  #isStopped = false

  constructor(host: RevocationLogHost) {
    this.#host = host
    this.#key = `${host.hub.prefix}:{${host.path}}:revocations`
  }

  /** Reads what is there, and then every `LOOK_MS`. Resolves when it has been read, and without Redis at once. */
  async start(): Promise<void> {
    this.#endHealth = this.#host.hub.onHealth((state) => {
      if (state === 'down') return
      this.#isDoubtful = true
      this.#look()
    })
    this.#schedule()
    await this.#read().catch(this.#failed)
  }

  /** Looks no more. */
  stop(): void {
    this.#isStopped = true
    this.#endHealth?.()
    if (this.#timer !== undefined) this.#host.clock.clearTimeout(this.#timer)
  }

  /** Writes one down, which counts `until` then (ms since 1970), and gives its id. Rejects with RedisUnavailable. */
  async add(revocation: Revocation, until: number): Promise<string> {
    const text = revocationText(revocation, this.#host.node)
    return String(await this.#host.hub.run(ADD, [this.#key], [text, Math.ceil(until), MAX_REVOCATIONS]))
  }

  /** Has all been read up to one that is written down, and says how many connections here it meant. Rejects with RedisUnavailable. */
  async readTo(id: string): Promise<number> {
    if (!this.#known.has(id)) await this.#read()
    return this.#known.get(id) ?? 0
  }

  #schedule(): void {
    if (this.#isStopped) return
    this.#timer = this.#host.clock.setTimeout(() => {
      this.#look()
      this.#schedule()
    }, LOOK_MS)
  }

  #look(): void {
    if (this.#host.hub.canRun && !this.#isStopped) this.#read().catch(this.#failed)
  }

  // The hub says in the log that Redis is away; the next look finds what this one did not.
  readonly #failed = (error: unknown): void => {
    if (error instanceof RedisUnavailable) return
    this.#host.log.error({ err: error, path: this.#host.path }, 'ackord: revocations could not be read')
  }

  // One read at a time. Whoever asks during one waits for the next, which sees all that was written until they asked.
  #read(): Promise<void> {
    this.#next ??= this.#running.then(() => {
      this.#next = undefined
      const read = this.#readPages()
      this.#running = read.catch(() => undefined)
      return read
    })
    return this.#next
  }

  async #readPages(): Promise<void> {
    // Here, and not at once: the page of a read that was under way would move it on again.
    if (this.#isDoubtful) this.#cursor = rewound(this.#cursor)
    this.#isDoubtful = false
    for (let count = PAGE; count === PAGE && !this.#isStopped; ) {
      const reply = await this.#host.hub.run(READ, [this.#key], [this.#cursor, PAGE])
      const [now, newest = '', ...entries] = Array.isArray(reply) ? reply.map(String) : []
      // What was known is gone, with a server: whatever came behind may have lower ids.
      if (isBefore(newest, this.#cursor)) {
        this.#cursor = START
        if (newest === '') return
        continue
      }
      count = entries.length / 2
      for (let i = 0; i < entries.length; i += 2) {
        this.#cursor = entries[i] ?? this.#cursor
        this.#take(this.#cursor, entries[i + 1] ?? '', Number(now))
      }
    }
  }

  #take(id: string, text: string, now: number): void {
    if (this.#known.has(id)) return
    const read = readRevocation(text)
    const isOurs = read?.from === this.#host.node
    this.#known.set(id, read === undefined || isOurs ? 0 : this.#host.apply(read.revocation, now - msOf(id)))
    if (this.#known.size <= MAX_KNOWN) return
    const [oldest] = this.#known.keys()
    if (oldest !== undefined) this.#known.delete(oldest)
  }
}

// The id of an entry is `ms-n`.
const msOf = (id: string): number => Number.parseInt(id, 10)

function isBefore(id: string, other: string): boolean {
  const [ms = 0, n = 0] = id.split('-').map(Number)
  const [otherMs = 0, otherN = 0] = other.split('-').map(Number)
  return ms < otherMs || (ms === otherMs && n < otherN)
}

const rewound = (cursor: string): string => `${Math.max(0, msOf(cursor) - REWIND_MS)}-0`
