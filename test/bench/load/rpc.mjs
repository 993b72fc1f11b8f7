/** Calls and their answers: each connection keeps `inFlight` calls unanswered, and sends the next as one is answered. */
import { performance } from 'node:perf_hooks'
import { maskedFrame } from '../harness/frames.mjs'
import { Checker, FIRST_ID, indexAt, POOL, rpcMessage, WrongAnswer } from '../harness/messages.mjs'
import { Load } from './load.mjs'

/** @import { Connection } from '../harness/connection.mjs' */
/** @import { RpcDialect } from '../harness/peer.mjs' */
/** @import { LoadOptions } from './load.mjs' */

/** No server here answers a call in less. */
const NAP_MS = 0.002

/** The calls of all connections. */
export class RpcLoad extends Load {
  #clients

  /**
   * @param {Connection[]} connections
   * @param {RpcDialect} dialect
   */
  constructor(connections, dialect) {
    super(connections, new Checker(dialect.answer, rpcMessage), NAP_MS)
    const requests = new Requests(dialect)
    this.#clients = connections.map((connection) => this.#client(connection, requests, dialect.idAt))
  }

  /** @override @param {LoadOptions} options */
  start({ inFlight = 1 }) {
    const now = performance.now()
    for (const send of this.#clients) send(inFlight, now)
  }

  /**
   * Attaches to a connection and returns what sends its next calls.
   * @param {Connection} connection
   * @param {Requests} requests
   * @param {number} idAt
   */
  #client(connection, requests, idAt) {
    const { checker } = this
    // When the call of each id was sent; 0 where it is not in flight.
    const sentAt = new Float64Array(POOL)
    let next = 0
    let answered = 0
    let now = 0

    /** @type {(count: number, now: number) => void} */
    const send = (count, at) => {
      this.outstanding += count
      for (let left = count; left > 0; ) {
        const to = Math.min(next + left, POOL)
        for (let i = next; i < to; i++) {
          if (sentAt[i] !== 0) throw new Error(`the call of ${FIRST_ID + i} is still not answered`)
          sentAt[i] = at
        }
        connection.write(requests.slice(next, to))
        left -= to - next
        next = to % POOL
      }
    }

    connection.onText = (data, start, end) => {
      let index = indexAt(data, start + idAt)
      const known = index >= 0 && index < POOL && checker.matches(index, data, start, end)
      if (!known) index = checker.check(data, start, end)
      const since = sentAt[index] ?? 0
      if (since === 0) throw new WrongAnswer(`an answer of ${FIRST_ID + index}, which nobody waits for`)
      sentAt[index] = 0
      if (answered === 0) now = performance.now()
      this.current?.took(now - since)
      answered++
    }

    connection.onRead = () => {
      this.nap()
      const run = this.current
      if (run === undefined || answered === 0) return
      run.messages += answered
      this.outstanding -= answered
      if (run.goesOn(now)) send(answered, now)
      else if (this.outstanding === 0) run.end()
      answered = 0
    }

    return send
  }
}

/** The frames of all calls, made once: those that follow each other stand side by side and leave in one write. */
class Requests {
  #frames
  #size

  /** @param {RpcDialect} dialect */
  constructor(dialect) {
    const frames = Array.from({ length: POOL }, (_, index) =>
      maskedFrame(dialect.request(FIRST_ID + index, rpcMessage(FIRST_ID + index))),
    )
    this.#frames = Buffer.concat(frames)
    this.#size = this.#frames.length / POOL
    if (frames.some(({ length }) => length !== this.#size)) throw new Error('requests are not of one length')
  }

  /**
   * @param {number} from index of the first
   * @param {number} to index behind the last
   */
  slice(from, to) {
    return this.#frames.subarray(from * this.#size, to * this.#size)
  }
}
