/** What a peer asked for and what of it runs: the seqs that wait, and the brake on who asks for too much. PROTOCOL.md § Calls. */
import { CLOSE, Violation } from '../../contract/wire/index.js'
import type { Connection } from './connection.js'
import type { GatewaySocket } from './socket.js'

/** A call, stream or join that waits for its answer. */
export interface Request {
  /** The client no longer wants it, or is gone. */
  cancel(): void
}

/** Answers OVERLOADED beyond this many times `inFlight`. PROTOCOL.md § First flight. */
const OVERLOAD = 4

/** The requests of one connection. */
export class Requests {
  /** Calls and joins that run, answered or not. */
  inFlight = 0
  /** Streams whose generators run, answered or not. */
  streams = 0
  readonly #connection: Connection
  readonly #socket: GatewaySocket
  // None where nothing was asked yet.
  #waiting: Map<number, Request> | undefined

  constructor(connection: Connection, socket: GatewaySocket) {
    this.#connection = connection
    this.#socket = socket
  }

  /** Nothing of it runs. */
  get isIdle(): boolean {
    return this.inFlight === 0 && this.streams === 0
  }

  /**
   * Takes a seq for a call or join that will be answered. Throws a Violation where the seq waits already; false where
   * the connection has too much under way and the request must be refused.
   */
  begin(seq: number, request: Request): boolean {
    const waiting = this.#free(seq)
    if (!this.beginUnanswered()) return false
    waiting.set(seq, request)
    return true
  }

  /** `begin` for a stream, which has a bound of its own: a paused socket could never read its CREDIT. */
  beginStream(seq: number, request: Request): boolean {
    const waiting = this.#free(seq)
    const { mount } = this.#connection
    if (this.streams >= mount.settings.maxStreams) {
      mount.listeners.backpressure(this.#connection, 'overloaded')
      return false
    }
    this.streams++
    waiting.set(seq, request)
    return true
  }

  #free(seq: number): Map<number, Request> {
    this.#waiting ??= new Map()
    if (this.#waiting.has(seq)) throw new Violation(CLOSE.DUPLICATE_SEQ)
    return this.#waiting
  }

  /** Counts what runs without an answer; false where the connection has too much under way. */
  beginUnanswered(): boolean {
    const { mount } = this.#connection
    if (this.inFlight >= OVERLOAD * mount.settings.inFlight) {
      mount.listeners.backpressure(this.#connection, 'overloaded')
      return false
    }
    this.inFlight++
    this.regulate()
    return true
  }

  /** What waits under a seq. */
  get(seq: number): Request | undefined {
    return this.#waiting?.get(seq)
  }

  /** Gives a request its answer: true once, false where it was answered, another waits under its seq by now, or the connection ended. */
  settle(seq: number, request: Request): boolean {
    if (this.#waiting?.get(seq) !== request) return false
    this.#waiting.delete(seq)
    return this.#connection.phase !== 'closed'
  }

  /** What `begin` counted no longer runs. */
  finish(): void {
    this.inFlight--
    if (this.#socket.isPaused) this.regulate()
    if (this.inFlight === 0) this.#progress()
  }

  /** What `beginStream` counted no longer runs. */
  finishStream(): void {
    this.streams--
    this.#progress()
  }

  // Only a drain wants to know.
  #progress(): void {
    const { gateway } = this.#connection.mount
    if (gateway.closing) gateway.progress(this.#connection)
  }

  /** Nothing is read from the peer for now: too much of it is under way. */
  get paused(): boolean {
    return this.#socket.isPaused
  }

  /**
   * Pauses or resumes the socket. A paused one is the only brake on a peer: its own TCP window fills. One that keeps to what WELCOME
   * grants is always read: its CANCEL, ANSWER and Close stand behind its calls.
   */
  regulate(): void {
    const { mount, opening, phase } = this.#connection
    if (phase === 'closed') return
    const full = this.inFlight > mount.settings.inFlight || opening?.isFull === true
    if (full === this.#socket.isPaused) return
    if (full) {
      this.#socket.pause()
      mount.listeners.backpressure(this.#connection, 'paused')
    } else this.#socket.resume()
  }

  /** The connection is over: whatever waits is cancelled, and not answered. */
  end(): void {
    const waiting = this.#waiting
    this.#waiting = undefined
    for (const request of waiting?.values() ?? []) request.cancel()
  }
}
