/** Token ids that were revoked, until their tokens would have ended by themselves. */

/** How many ids are kept; the one that was revoked first goes, with a warning in the log. */
const MAX_IDS = 10_000
/** Milliseconds an id is refused where nobody knows when its token ends. */
const UNKNOWN_END_MS = 86_400_000

/** The revoked ids of one namespace on this node. */
export class RevokedTokens {
  // By id: the clock's time at which its token ends. The one that was revoked first stands first.
  readonly #ends = new Map<string, number>()
  readonly #onDrop: () => void

  /** `onDrop`: an id was dropped before its time. */
  constructor(onDrop: () => void) {
    this.#onDrop = onDrop
  }

  get size(): number {
    return this.#ends.size
  }

  /** Refuses an id from `now` on; `end` is the clock's time at which its token ends, where that is known. */
  add(id: string, now: number, end = now + UNKNOWN_END_MS): void {
    const known = this.#ends.get(id) ?? 0
    this.#ends.delete(id)
    this.#ends.set(id, Math.max(known, end))
    if (this.#ends.size <= MAX_IDS) return
    for (const [each, ends] of this.#ends) if (ends <= now) this.#ends.delete(each)
    for (const [oldest] of this.#ends) {
      if (this.#ends.size <= MAX_IDS) break
      this.#ends.delete(oldest)
      this.#onDrop()
    }
  }

  has(id: string, now: number): boolean {
    const end = this.#ends.get(id)
    if (end === undefined) return false
    if (end > now) return true
    this.#ends.delete(id)
    return false
  }
}
