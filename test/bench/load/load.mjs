/** What all loads share: one stretch at a time, from its first message to its last answer. */
import { createHistogram, performance } from 'node:perf_hooks'

/** @import { Connection } from '../harness/connection.mjs' */
/** @import { Checker } from '../harness/messages.mjs' */

/** After its end, a stretch waits this long for what is still in flight. */
const DRAIN_MS = 5000
/** A nap is not worth the call below this, and never above that. */
const NAP_MS = { least: 0.1, most: 1 }
const CELL = new Int32Array(new SharedArrayBuffer(4))

/**
 * What one stretch of load came to.
 * @typedef {object} LoadResult
 * @property {number} messages answers, or deliveries
 * @property {number} checked of them, those that were found right
 * @property {number} seconds from the first message to the last answer
 * @property {number} generator CPU share of the load generator itself, of one core
 * @property {number} p50 µs
 * @property {number} p99 µs
 */

/**
 * One stretch: `inFlight` messages are kept under way; or that many leave at once, and again when all have come (`burst`); or `rate` a second
 * leave whatever has come.
 * @typedef {{ ms: number, inFlight?: number, burst?: boolean, rate?: number }} LoadOptions
 */

/** The bookkeeping of one stretch: its end, its count, its times. */
class Stretch {
  messages = 0
  #histogram = createHistogram()
  #startedAt = performance.now()
  #cpu = process.cpuUsage()
  #until
  #timer
  /** @type {(seconds: number) => void} */
  #resolve = () => {}
  /** @type {(error: Error) => void} */
  #reject = () => {}

  /**
   * @param {number} ms how long new messages are sent
   * @param {() => string} missing says what has not come, where it does not end
   */
  constructor(ms, missing) {
    this.#until = this.#startedAt + ms
    this.#timer = setTimeout(() => this.fail(new Error(`stalled: ${missing()}`)), ms + DRAIN_MS)
    /** When all that was sent is answered. @type {Promise<number>} */
    this.ended = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
  }

  /** Whether more is to be sent. @param {number} now performance.now() */
  goesOn(now) {
    return now < this.#until
  }

  /** Notes how long one message took, in ms. @param {number} ms */
  took(ms) {
    this.#histogram.record(Math.max(1, Math.round(ms * 1e6)))
  }

  /** All that was sent is answered. */
  end() {
    clearTimeout(this.#timer)
    this.#resolve(performance.now() - this.#startedAt)
  }

  /** @param {Error} error */
  fail(error) {
    clearTimeout(this.#timer)
    this.#reject(error)
  }

  /**
   * What it came to.
   * @returns {Promise<Omit<LoadResult, 'checked'>>}
   */
  async result() {
    const ms = await this.ended
    const { user, system } = process.cpuUsage(this.#cpu)
    return {
      messages: this.messages,
      seconds: ms / 1000,
      generator: (user + system) / 1000 / ms,
      p50: this.#histogram.percentile(50) / 1000,
      p99: this.#histogram.percentile(99) / 1000,
    }
  }
}

/** A load on connections that are open. A connection that fails, fails the stretch it fails in, or the next. */
export class Load {
  /** @type {Stretch | undefined} */
  current
  /** Answers, or deliveries, that are still to come. */
  outstanding = 0
  #napMs
  #napping = false
  /** @type {Error | undefined} */
  #broken

  /**
   * @param {Connection[]} connections
   * @param {Checker} checker of what they receive
   * @param {number} napMs to sleep for each message that is outstanding: less than any server needs for it
   */
  constructor(connections, checker, napMs) {
    this.checker = checker
    this.#napMs = napMs
    for (const connection of connections) connection.onError = (error) => this.fail(error)
  }

  /** @param {Error} error */
  fail(error) {
    this.#broken ??= error
    this.current?.fail(error)
  }

  /**
   * Sends for `ms` and waits for all answers. Rejects at the first wrong answer or lost connection, or where answers
   * are still missing after 5 s more.
   * @param {LoadOptions} options
   * @returns {Promise<LoadResult>}
   */
  async run(options) {
    if (this.#broken !== undefined) throw this.#broken
    const before = this.checker.checked
    this.current = new Stretch(options.ms, () => `${this.outstanding} messages did not come`)
    try {
      this.start(options)
      const result = await this.current.result()
      return { ...result, checked: this.checker.checked - before }
    } finally {
      this.current = undefined
    }
  }

  /** Sends the first messages. @param {LoadOptions} _options */
  start(_options) {
    throw new Error('not a load')
  }

  /**
   * Sleeps when all that can be read now was read, for less than the server needs for what is outstanding, so that it
   * never waits for us. Without this we would wake for each single message, at nearly the cost of the server itself.
   */
  nap() {
    if (this.#napping) return
    this.#napping = true
    setImmediate(() => {
      this.#napping = false
      const ms = Math.min(NAP_MS.most, this.outstanding * this.#napMs)
      if (ms >= NAP_MS.least) Atomics.wait(CELL, 0, 0, ms)
    })
  }

  close() {}
}
