/** Publications and their deliveries: the next burst is asked for when the last member has all of the one before. */
import { connect } from 'node:net'
import { performance } from 'node:perf_hooks'
import { Checker, FIRST_ID, POOL, publication, WrongAnswer } from '../harness/messages.mjs'
import { Load } from './load.mjs'

/** @import { Connection } from '../harness/connection.mjs' */
/** @import { FanoutDialect } from '../harness/peer.mjs' */
/** @import { LoadOptions } from './load.mjs' */

/** No server here makes a delivery in less. */
const NAP_MS = 0.0004

/** The deliveries to all members of one room. */
export class FanoutLoad extends Load {
  #trigger
  #members
  #burst = 1
  #publishedAt = 0
  /** Members that do not have all of this burst. */
  #behind = 0
  /** The first publication of all: the server's count goes on where it stood. @type {number | undefined} */
  #first

  /**
   * @param {Connection[]} connections
   * @param {FanoutDialect} dialect
   * @param {number} triggerPort takes a byte: how many to publish in one turn
   */
  constructor(connections, dialect, triggerPort) {
    super(connections, new Checker(dialect.publication, publication), NAP_MS)
    this.#members = connections.length
    this.#trigger = connect({ port: triggerPort, host: '127.0.0.1', noDelay: true })
    this.#trigger.on('error', (error) => this.fail(error))
    for (const connection of connections) this.#member(connection)
  }

  /** @override @param {LoadOptions} options */
  start({ inFlight = 1 }) {
    this.#burst = inFlight
    this.#publish()
  }

  /** @override */
  close() {
    this.#trigger.destroy()
  }

  #publish() {
    this.#behind = this.#members
    this.outstanding = this.#members * this.#burst
    this.#publishedAt = performance.now()
    this.#trigger.write(Uint8Array.of(this.#burst))
  }

  /**
   * Attaches to a connection: it must get every publication, once and in order.
   * @param {Connection} connection
   */
  #member(connection) {
    const { checker } = this
    /** @type {number | undefined} */
    let next
    let got = 0

    connection.onText = (data, start, end) => {
      const due = next ?? this.#first ?? -1
      const index = checker.matches(due, data, start, end) ? due : checker.check(data, start, end)
      this.#first ??= index
      if (due !== -1 && index !== due) {
        throw new WrongAnswer(`publication ${FIRST_ID + index} where ${FIRST_ID + due} is next`)
      }
      next = (index + 1) % POOL
      got++
      this.outstanding--
    }

    connection.onRead = () => {
      this.nap()
      const run = this.current
      if (run === undefined || got < this.#burst) return
      if (got > this.#burst) throw new WrongAnswer(`${got} publications where ${this.#burst} were made`)
      const now = performance.now()
      run.messages += got
      run.took(now - this.#publishedAt)
      got = 0
      this.#behind--
      if (this.#behind > 0) return
      if (run.goesOn(now)) this.#publish()
      else run.end()
    }
  }
}
