/** Users of one room whose clients have left this node for another, as they were told to: here until that one has said so. */
import type { Clock, Timer } from '../../contract/clock.js'

/** Milliseconds that they are here at most: the next node joins them within some, and writes once in 100 ms. */
export const MOVE_MS = 300

interface Moved {
  readonly user: string
  readonly until: number
}

/** Bounded by the connections that end within `MOVE_MS`, with one timer. */
export class Moving {
  readonly #clock: Clock
  readonly #ended: (user: string) => void
  // By the time of their end, as each has as long.
  #moved: Moved[] = []
  #timer: Timer | undefined
  #waiting: Array<() => void> = []

  /** `ended`: called once for each `add`, unless it stops before. */
  constructor(clock: Clock, ended: (user: string) => void) {
    this.#clock = clock
    this.#ended = ended
  }

  get isEmpty(): boolean {
    return this.#moved.length === 0
  }

  /** A connection of a user has left for another node. */
  add(user: string): void {
    this.#moved.push({ user, until: this.#clock.now() + MOVE_MS })
    this.#timer ??= this.#clock.setTimeout(this.#onTimer, MOVE_MS)
  }

  /** Other nodes may have said who is there by now. */
  look(isElsewhere: (user: string) => boolean): void {
    if (!this.isEmpty) this.#end(({ user }) => isElsewhere(user))
  }

  readonly #onTimer = (): void => {
    this.#timer = undefined
    const now = this.#clock.now()
    this.#end(({ until }) => until <= now)
    const [first] = this.#moved
    if (first !== undefined) this.#timer = this.#clock.setTimeout(this.#onTimer, first.until - now)
  }

  #end(isOver: (moved: Moved) => boolean): void {
    const moved = this.#moved
    this.#moved = []
    const over: Moved[] = []
    for (const each of moved) (isOver(each) ? over : this.#moved).push(each)
    for (const { user } of over) this.#ended(user)
    this.#settle()
  }

  /** Resolves once nobody is on the way: within `MOVE_MS`, where nobody comes after. */
  async over(): Promise<void> {
    if (!this.isEmpty) await new Promise<void>((resolve) => this.#waiting.push(resolve))
  }

  #settle(): void {
    if (!this.isEmpty) return
    if (this.#timer !== undefined) this.#clock.clearTimeout(this.#timer)
    this.#timer = undefined
    for (const resolve of this.#waiting) resolve()
    this.#waiting = []
  }

  /** Forgets them. */
  stop(): void {
    this.#moved = []
    this.#settle()
  }
}
