/** Looks after the feeds of a node: those that hear nothing, and all of them when Redis is back. docs/decisions/room-log.md. */
import type { Clock, Timer } from '../../../contract/clock.js'
import type { RoomFeed } from './feed.js'

/** Milliseconds in which every feed that heard nothing is checked once. */
export const SWEEP_MS = 60_000
/** Milliseconds between two looks. */
export const SWEEP_TICK_MS = 1000
/** Milliseconds over which the feeds of a node come back when Redis does. */
export const RESYNC_MS = 2000
/** Checks under way at a time. */
const AT_A_TIME = 32

/** What a sweep sees of a feed. */
export type Swept = Pick<RoomFeed, 'room' | 'heard' | 'behind' | 'check'>

/** What a sweep needs. */
export interface SweepOptions {
  readonly clock: Clock
  /** 0 ≤ n < 1. */
  readonly random: () => number
  readonly feeds: ReadonlyMap<string, Swept>
  /** Whether Redis would be asked for this room now. */
  readonly canCheck: (room: string) => boolean
}

/** One per broker. Checks that fail leave their feed `behind`, and are tried again with the next look. */
export class Sweep {
  readonly #options: SweepOptions
  #timer: Timer | undefined
  // The round under way: which feeds it has still to look at.
  #round: Swept[] = []
  #looks = 0
  #checking = false

  constructor(options: SweepOptions) {
    this.#options = options
  }

  /** There is something to look after. Harmless where it is known. */
  wake(): void {
    this.#timer ??= this.#options.clock.setTimeout(this.#tick, SWEEP_TICK_MS)
  }

  /** Redis is back: every feed is checked once, in a random order, beginning within `RESYNC_MS`. */
  resync(): void {
    const { clock, feeds, random } = this.#options
    for (const feed of feeds.values()) feed.behind = true
    if (this.#timer !== undefined) clock.clearTimeout(this.#timer)
    this.#timer = clock.setTimeout(this.#tick, random() * RESYNC_MS)
  }

  /** Looks after nothing any more. */
  close(): void {
    if (this.#timer !== undefined) this.#options.clock.clearTimeout(this.#timer)
    this.#timer = undefined
    this.#round = []
  }

  readonly #tick = (): void => {
    this.#timer = undefined
    if (this.#options.feeds.size === 0) return
    this.wake()
    if (this.#checking) return
    this.#checking = true
    void this.#check(this.#due()).finally(() => {
      this.#checking = false
    })
  }

  #due(): Swept[] {
    const { feeds, random } = this.#options
    // What cannot be checked now is when Redis is back.
    const due = [...feeds.values()].filter(({ behind }) => behind)
    shuffle(due, random)
    if (this.#looks === 0) {
      this.#round = [...feeds.values()]
      this.#looks = SWEEP_MS / SWEEP_TICK_MS
    }
    for (const feed of this.#round.splice(0, Math.ceil(this.#round.length / this.#looks--))) {
      if (!feed.heard && !feed.behind) due.push(feed)
      feed.heard = false
    }
    return due
  }

  async #check(due: readonly Swept[]): Promise<void> {
    // All take from one iterator: who is done with a feed goes on with the next.
    const feeds = due.values()
    const checkOneByOne = async (): Promise<void> => {
      for (const feed of feeds) {
        if (!this.#options.canCheck(feed.room)) continue
        // What failed is `behind`.
        await feed.check().catch(() => undefined)
      }
    }
    await Promise.all(Array.from({ length: AT_A_TIME }, checkOneByOne))
  }
}

function shuffle<T>(items: T[], random: () => number): void {
  for (let i = items.length - 1; i > 0; i--) {
    const other = Math.floor(random() * (i + 1))
    const [one, two] = [items[i], items[other]]
    if (one === undefined || two === undefined) continue
    items[i] = two
    items[other] = one
  }
}
