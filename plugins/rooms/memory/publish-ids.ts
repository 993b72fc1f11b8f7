import { type Position, PUBLISH_ID_SECONDS, PUBLISH_IDS } from '../broker.js'

const LIFE = PUBLISH_ID_SECONDS * 1000

/**
 * The publish ids that a room remembers, each with its answer (`null`: published without a position). Two maps that take turns, so that
 * forgetting costs nothing: an id is known for at least `PUBLISH_ID_SECONDS`, unless `PUBLISH_IDS` newer ones came in that time.
 */
export class PublishIds {
  #young = new Map<string, Position | null>()
  #old = new Map<string, Position | null>()
  #turnedAt: number

  /** `now` is the clock's, in milliseconds, here and below. */
  constructor(now: number) {
    this.#turnedAt = now
  }

  /** How many are remembered: at most twice `PUBLISH_IDS`. */
  get size(): number {
    return this.#young.size + this.#old.size
  }

  /** What the first publish under this id answered; `undefined` where the id is not known. */
  find(id: string): Position | null | undefined {
    const answer = this.#young.get(id)
    return answer === undefined ? this.#old.get(id) : answer
  }

  /** Remembers an id that is not known. */
  add(id: string, answer: Position | null, now: number): void {
    this.forget(now)
    if (this.#young.size >= PUBLISH_IDS) this.#turn(now)
    this.#young.set(id, answer)
  }

  /** Forgets the older ids if the time has come. */
  forget(now: number): void {
    if (now - this.#turnedAt >= LIFE) this.#turn(now)
  }

  #turn(now: number): void {
    this.#old = this.#young
    this.#young = new Map()
    this.#turnedAt = now
  }
}
