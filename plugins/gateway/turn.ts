/**
 * Grouped writes: what was queued in one turn of the event loop leaves in one write per connection, after the
 * turn's reads. docs/decisions/grouped-writes.md.
 */
import { performance } from 'node:perf_hooks'
// Taken at load, so that fake timers a user installs later do not stop the writes.
import { setImmediate } from 'node:timers'

/** Something that holds output until the turn ends. */
export interface Flushable {
  flush(): void
}

/** How long one flush may hold the event loop before it goes on in the next turn, in ms. */
const BUDGET_MS = 8
/** How many writers are flushed between two looks at the time. */
const STRIDE = 32

/** The end of each turn: first the rooms hand their buffers to the members' writers, then the writers write. */
export class Turn {
  #rooms: Flushable[] = []
  #writers: Flushable[] = []
  #scheduled = false
  readonly #onError: (error: unknown) => void
  readonly #grouped: boolean

  /** `onError` is told of a flush that threw; the others go on. Without `grouped` everything is flushed as it comes. */
  constructor(onError: (error: unknown) => void, grouped = true) {
    this.#onError = onError
    this.#grouped = grouped
  }

  /** Flushes a room's buffer at the end of this turn. The caller adds it once per turn. */
  addRoom(room: Flushable): void {
    this.#rooms.push(room)
    this.#schedule()
  }

  /** Flushes a writer at the end of this turn. The caller adds it once until it was flushed. */
  addWriter(writer: Flushable): void {
    this.#writers.push(writer)
    this.#schedule()
  }

  #schedule(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    if (this.#grouped) setImmediate(this.#run)
    else this.#run()
  }

  readonly #run = (): void => {
    try {
      this.#flushAll()
    } finally {
      // Only now: a flush never runs within another.
      this.#scheduled = false
      if (this.#writers.length > 0 || this.#rooms.length > 0) this.#schedule()
    }
  }

  #flushAll(): void {
    const rooms = this.#rooms
    this.#rooms = []
    for (const room of rooms) this.#flush(room)

    // What a flush adds (a writer closed by its bound, say) waits behind what is here: order is kept.
    const writers = this.#writers
    this.#writers = []
    const until = performance.now() + BUDGET_MS
    for (let i = 0; i < writers.length; i++) {
      const writer = writers[i]
      if (writer !== undefined) this.#flush(writer)
      if (i % STRIDE === STRIDE - 1 && performance.now() > until) {
        const rest = writers.slice(i + 1)
        this.#writers = rest.concat(this.#writers)
        break
      }
    }
  }

  #flush(item: Flushable): void {
    try {
      item.flush()
    } catch (error) {
      this.#onError(error)
    }
  }
}
