/** Publications that are made on one node and received on another: so many in flight, in bursts, or at a steady rate. */
import { connect } from 'node:net'
import { performance } from 'node:perf_hooks'
import { Checker, FIRST_ID, POOL, publication, WrongAnswer } from '../harness/messages.mjs'
import { Load } from './load.mjs'

/** @import { Connection } from '../harness/connection.mjs' */
/** @import { FanoutDialect } from '../harness/peer.mjs' */
/** @import { LoadOptions } from './load.mjs' */

/** No two nodes here bring a publication to one receiver in less. */
const NAP_MS = 0.0004
/** Publications that may be under way, whatever the rate. */
const RING = 8192
/** So many leave at once at most: what a byte says. */
const MOST = 255

/** Publications on one node, received on another. */
export class RelayLoad extends Load {
  #trigger
  #receivers
  #pattern = { inFlight: 1, burst: false, rate: 0 }
  /** When each publication under way was due, and how many receivers have it. */
  #dueAt = new Float64Array(RING)
  #reached = new Uint32Array(RING)
  #published = 0
  #complete = 0
  /** Of the published, those before this stretch. */
  #before = 0
  /** @type {NodeJS.Timeout | undefined} */
  #timer
  /** The first publication of all: the server's count goes on where it stood. @type {number | undefined} */
  #first

  /**
   * @param {Connection[]} connections
   * @param {FanoutDialect} dialect
   * @param {number} triggerPort of the node that publishes; takes a byte: how many to publish in one turn
   */
  constructor(connections, dialect, triggerPort) {
    super(connections, new Checker(dialect.publication, publication, dialect.alike), NAP_MS)
    this.#receivers = connections.length
    this.#trigger = connect({ port: triggerPort, host: '127.0.0.1', noDelay: true })
    this.#trigger.on('error', (error) => this.fail(error))
    for (const connection of connections) this.#receiver(connection)
  }

  /** @override @param {LoadOptions} options */
  start({ inFlight = 1, burst = false, rate = 0 }) {
    this.#pattern = { inFlight, burst, rate }
    if (rate > 0) this.#keepRate(rate)
    else this.#publish(inFlight, performance.now())
  }

  /** @override */
  close() {
    clearInterval(this.#timer)
    this.#trigger.destroy()
  }

  /**
   * The open loop: what is due leaves, whatever has come back. Times count from when it was due, so that a late generator and a stalled
   * server both show.
   * @param {number} rate a second
   */
  #keepRate(rate) {
    const startedAt = performance.now()
    let made = 0
    this.#timer = setInterval(() => {
      const run = this.current
      const now = performance.now()
      if (run === undefined || !run.goesOn(now)) {
        clearInterval(this.#timer)
        this.#endIfDone()
        return
      }
      const due = Math.floor(((now - startedAt) * rate) / 1000)
      for (; made < due; made++) this.#publish(1, startedAt + ((made + 1) * 1000) / rate)
    }, 1)
  }

  /** @param {number} count @param {number} dueAt performance.now() */
  #publish(count, dueAt) {
    if (this.#published + count - this.#complete > RING) {
      this.fail(new Error(`${RING} publications are under way`))
      return
    }
    for (let i = 0; i < count; i++) {
      this.#dueAt[this.#published % RING] = dueAt
      this.#reached[this.#published++ % RING] = 0
    }
    this.outstanding += count * this.#receivers
    for (let left = count; left > 0; left -= MOST) this.#trigger.write(Uint8Array.of(Math.min(left, MOST)))
  }

  /**
   * Attaches to a connection: it must get every publication, once and in order.
   * @param {Connection} connection
   */
  #receiver(connection) {
    const { checker } = this
    let got = this.#published

    connection.onText = (data, start, end) => {
      const due = this.#first === undefined ? -1 : (this.#first + got) % POOL
      const index = checker.matches(due, data, start, end) ? due : checker.check(data, start, end)
      this.#first ??= index
      if (due !== -1 && index !== due) {
        throw new WrongAnswer(`publication ${FIRST_ID + index} where ${FIRST_ID + due} is next`)
      }
      if (got === this.#published) throw new WrongAnswer('a publication that nobody asked for')
      const slot = got++ % RING
      this.outstanding--
      this.current?.took(performance.now() - (this.#dueAt[slot] ?? 0))
      const reached = (this.#reached[slot] ?? 0) + 1
      this.#reached[slot] = reached
      if (reached === this.#receivers) this.#complete++
    }

    connection.onRead = () => this.#goOn()
  }

  /** Publishes what the pattern wants next. */
  #goOn() {
    const run = this.current
    const { inFlight, burst, rate } = this.#pattern
    if (run === undefined || rate > 0) {
      this.#endIfDone()
      return
    }
    this.nap()
    const underWay = this.#published - this.#complete
    if (burst && underWay > 0) return
    const now = performance.now()
    if (!run.goesOn(now)) this.#endIfDone()
    else if (underWay < inFlight) this.#publish(inFlight - underWay, now)
  }

  #endIfDone() {
    const run = this.current
    if (run === undefined || run.goesOn(performance.now()) || this.#published > this.#complete) return
    clearInterval(this.#timer)
    run.messages = this.#published - this.#before
    this.#before = this.#published
    run.end()
  }
}
