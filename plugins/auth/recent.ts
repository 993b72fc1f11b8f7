/** What was revoked a moment ago, for those who were on their way in. */

/** What a revocation wants of a connection. */
export type Verdict = 'close' | 'check' | 'reauthenticate'

interface Entry {
  /** Number of the last revocation that closes, and of the last that checks; 0 where there was none. */
  close: number
  check: number
  at: number
}

/** Milliseconds an entry is kept: the longest handshake there can be, upgrade and HELLO. */
export const RECENT_MS = 120_000
/** Entries kept; beyond, whoever began before the oldest one was dropped authenticates again. */
const MAX_ENTRIES = 10_000

/** Numbers revocations, so that a handshake can tell which came after it began. Time would not do: both may fall into one millisecond. */
export class RecentRevocations {
  // The oldest first.
  readonly #entries = new Map<string, Entry>()
  #count = 0
  #dropped = 0

  /** The number of the last revocation: what a handshake remembers when it begins. */
  get count(): number {
    return this.#count
  }

  add(key: string, verdict: 'close' | 'check', now: number): void {
    const entry = this.#entries.get(key) ?? { close: 0, check: 0, at: now }
    entry[verdict] = ++this.#count
    entry.at = now
    this.#entries.delete(key)
    this.#entries.set(key, entry)
    for (const [oldest, { at, close, check }] of this.#entries) {
      if (at > now - RECENT_MS && this.#entries.size <= MAX_ENTRIES) break
      this.#entries.delete(oldest)
      if (at > now - RECENT_MS) this.#dropped = Math.max(this.#dropped, close, check)
    }
  }

  /** What revocations under any of these keys want of somebody who began at `count`. The strictest wins. */
  since(count: number, keys: readonly string[]): Verdict | undefined {
    let verdict: Verdict | undefined = this.#dropped > count ? 'reauthenticate' : undefined
    for (const key of keys) {
      const entry = this.#entries.get(key)
      if (entry !== undefined && entry.close > count) return 'close'
      if (entry !== undefined && entry.check > count) verdict ??= 'check'
    }
    return verdict
  }
}
