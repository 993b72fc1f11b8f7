/** One reader for many who come at once and would read the same. docs/decisions/room-log.md. */

interface Turn<T> {
  readonly underWay: Promise<T>
  next: Promise<T> | undefined
}

/** Reads, one at a time of each key: who comes while one is under way shares the next with all who do. Keeps nothing of what was read. */
export class SharedReads<T> {
  readonly #turns = new Map<string, Turn<T>>()

  /** Settles as a `read` that begins after this call; `read` is the same for every call with that key. */
  read(key: string, read: () => Promise<T>): Promise<T> {
    const turn = this.#turns.get(key)
    if (turn === undefined) return this.#begin(key, read)
    const begin = (): Promise<T> => this.#begin(key, read)
    turn.next ??= turn.underWay.then(begin, begin)
    return turn.next
  }

  #begin(key: string, read: () => Promise<T>): Promise<T> {
    const turn: Turn<T> = { underWay: read(), next: undefined }
    this.#turns.set(key, turn)
    // Before the next one begins: that is asked for behind this.
    const end = (): void => {
      if (turn.next === undefined) this.#turns.delete(key)
    }
    turn.underWay.then(end, end)
    return turn.underWay
  }
}
