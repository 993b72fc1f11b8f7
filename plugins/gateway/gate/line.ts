/** Newcomers stand in line, so that those who are here do not wait for them. docs/decisions/the-gate.md. */
// Taken at load, so that fake timers a user installs later do not hold up the line.
import { setImmediate } from 'node:timers'
import type { Clock } from '../../../contract/clock.js'

/** The newcomers of one round may take one in so many of the milliseconds by which the event loop may be late. */
const ROUND_SHARE = 30
/** Turns of the event loop in a round: Node takes one connection from the kernel in each, and who is not taken cannot be refused. */
const TURNS = 16
/** A round is over all the same where the turns have taken so many times what newcomers may take. */
const OTHERS = 2
/** How much the latest rounds count in what a newcomer takes. */
const LATEST = 0.2
/** As many as arrive in one round: on a slow machine so few stand there without a storm, and are let in whatever they take. */
const FEW = TURNS

/**
 * Lets newcomers in one behind the other, in the order in which they came. Those of one round, 16 turns of the event loop or less where
 * they are slow, get a thirtieth of `maxLag` ms; the rest stand in line, and what has arrived for the others is read in between. It is
 * long where somebody who joined behind more than 15 others would wait for longer than `maxLag`, or `most` stand there: nobody new may join
 * then. Who has joined is let in.
 */
export class Line {
  readonly #clock: Clock
  readonly #budget: number
  readonly #maxWait: number
  readonly #most: number
  readonly #waiting = new Set<() => void>()
  // Milliseconds of this round that newcomers have taken, and how many they were.
  #spent = 0
  #entered = 0
  // Turns that are left of the round; none where there is no round.
  #turns = 0
  #roundBegan = 0
  // Milliseconds for each, the others' included where somebody waited; of the latest rounds, and smoothed.
  #latest: Rounds = [0, 0, 0]
  #each = 0
  #stepBegan = 0
  #isMoving = false

  constructor(clock: Clock, maxLag: number, most: number) {
    this.#clock = clock
    this.#budget = maxLag / ROUND_SHARE
    this.#maxWait = maxLag
    this.#most = most
  }

  /** How many stand in line. */
  get length(): number {
    return this.#waiting.size
  }

  /** Milliseconds that somebody who joined now would stand in it, by how fast it has moved. */
  get wait(): number {
    return this.#waiting.size * this.#each
  }

  /** Nobody new may join. */
  get isLong(): boolean {
    return this.length >= this.#most || (this.length >= FEW && this.wait > this.#maxWait)
  }

  /** Resolves when it is one's turn. What follows at once is counted; what is waited for then is not. */
  turn(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.add(resolve)
      if (!this.#isMoving && this.#spent < this.#budget) this.#move()
    })
  }

  #move(): void {
    this.#isMoving = true
    this.#stepBegan = this.#clock.now()
    if (this.#turns === 0) {
      this.#turns = TURNS
      this.#roundBegan = this.#stepBegan
      setImmediate(this.#turned)
    }
    this.#enter()
  }

  // One of them; the next once everything that this one does at once is done: its promises, then what those put off to the next tick.
  #enter(): void {
    const [first] = this.#waiting
    if (first === undefined) {
      this.#isMoving = false
      return
    }
    this.#waiting.delete(first)
    this.#entered++
    first()
    queueMicrotask(this.#soon)
  }

  readonly #soon = (): void => process.nextTick(this.#entering)

  readonly #entering = (): void => {
    const now = this.#clock.now()
    this.#spent += now - this.#stepBegan
    this.#stepBegan = now
    if (this.#spent < this.#budget) this.#enter()
    else this.#isMoving = false
  }

  // Behind what has arrived: a turn of the event loop is over.
  readonly #turned = (): void => {
    const passed = this.#clock.now() - this.#roundBegan
    if (--this.#turns > 0 && passed - this.#spent < this.#budget * OTHERS) {
      setImmediate(this.#turned)
      return
    }
    this.#turns = 0
    const ms = this.#waiting.size > 0 ? passed : this.#spent
    if (this.#entered > 0) {
      this.#latest = [this.#latest[1], this.#latest[2], ms / this.#entered]
      this.#each += (middle(this.#latest) - this.#each) * LATEST
    }
    this.#spent = 0
    this.#entered = 0
    if (this.#waiting.size > 0) this.#move()
  }
}

type Rounds = readonly [number, number, number]

// One cold start, one garbage collection or one stop of the machine is no measure.
const middle = ([a, b, c]: Rounds): number => Math.max(Math.min(a, b), Math.min(Math.max(a, b), c))
