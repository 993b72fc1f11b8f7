/** What the gateway counts for all namespaces of an app. Each costs an increment. docs/metrics.md. */

import { CLOSE } from '../../contract/wire/index.js'

/** What happened to a connection that was too fast or too slow. */
export type Backpressure = 'dropped' | 'closed' | 'paused' | 'overloaded'

/** Of how many keys a count is kept; what comes beyond is counted under `other`. */
const MAX_KEYS = 64

/** How often each of some keys was seen; of at most 64 keys, all others are one. */
export class Tally {
  readonly #counts = new Map<string, number>()

  add(key: string): void {
    const known = this.#counts.get(key)
    if (known !== undefined) this.#counts.set(key, known + 1)
    else if (this.#counts.size < MAX_KEYS) this.#counts.set(key, 1)
    else this.#counts.set('other', (this.#counts.get('other') ?? 0) + 1)
  }

  /** The counts as they are now. */
  read(): Record<string, number> {
    return Object.fromEntries(this.#counts)
  }
}

/** Counts since the start of the app; they never go down. */
export class Counters {
  /** Upgrades that got their 101. */
  accepted = 0
  /** Upgrades refused, and plain GETs whose verdict was one, by code. */
  readonly refused = new Tally()
  /** Connections that this node closed, by close code. */
  readonly closes = new Tally()
  /** Connections that ended from outside, by close code as in `receivedCode`. */
  readonly left = new Tally()
  /** Messages dropped at the bound of a connection. */
  dropped = 0
  /** Connections closed because they read too slowly (1013). */
  closed = 0
  /** How often a socket was paused because too much of it was under way. */
  paused = 0
  /** Calls and joins refused with OVERLOADED. */
  overloaded = 0
  /** Checks of `reauthorize`, and of a member's `join`, that could not be made: what was granted stayed. */
  unchecked = 0
}

const FROM_CLIENTS: ReadonlySet<number> = new Set(
  Object.values(CLOSE)
    .filter(({ by }) => by !== 'server')
    .map(({ code }) => code),
)

/** The name under which a close code from outside is counted: a peer can send any, and only those that are its to send are kept apart. */
export const receivedCode = (code: number): string => (FROM_CLIENTS.has(code) ? String(code) : 'other')
