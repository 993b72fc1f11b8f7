/** Numbers that look random, the same for the same seed (mulberry32). */
export class Dice {
  #state: number

  /** `seed`: any integer of 32 bits. */
  constructor(seed: number) {
    this.#state = seed | 0
  }

  /** 0 ≤ n < 1. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0
    let t = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
  }

  /** An integer from 0, below `n`. */
  below(n: number): number {
    return Math.floor(this.next() * n)
  }

  /** True so often, 0 to 1. */
  chance(share: number): boolean {
    return this.next() < share
  }

  /** One of a list. Throws where it is empty. */
  pick<T>(list: readonly T[]): T {
    const one = list[this.below(list.length)]
    if (one === undefined && list.length === 0) throw new Error('nothing to pick from')
    return one as T
  }

  /** So many bytes. */
  bytes(length: number): Uint8Array {
    return Uint8Array.from({ length }, () => this.below(256))
  }
}
