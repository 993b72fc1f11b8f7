/** A bound on how many there are at once. */

/** So many at once, and so many of each key. A key is kept only while something of it is counted: never more keys than things. */
export class Cap {
  readonly #most: number
  readonly #mostPerKey: number
  readonly #counts = new Map<string, number>()
  #size = 0

  constructor(most: number, mostPerKey: number) {
    this.#most = most
    this.#mostPerKey = mostPerKey
  }

  /** How many are counted. */
  get size(): number {
    return this.#size
  }

  /** Of how many keys. */
  get keys(): number {
    return this.#counts.size
  }

  /** How many of a key. */
  of(key: string): number {
    return this.#counts.get(key) ?? 0
  }

  /** No room for any more. */
  get isFull(): boolean {
    return this.#size >= this.#most
  }

  /** No room for one more of this key. What has no key counts among all, and not by itself. */
  isFullFor(key: string | undefined): boolean {
    return key !== undefined && this.of(key) >= this.#mostPerKey
  }

  /** Counts one. Whether there is room was asked before, in the same turn. */
  add(key: string | undefined): void {
    this.#size++
    if (key !== undefined) this.#counts.set(key, this.of(key) + 1)
  }

  /** Gives one back that was added. */
  delete(key: string | undefined): void {
    this.#size--
    if (key === undefined) return
    const left = this.of(key) - 1
    if (left > 0) this.#counts.set(key, left)
    else this.#counts.delete(key)
  }
}
