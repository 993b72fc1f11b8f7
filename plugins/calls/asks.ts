/** Questions to clients: one round asks any number of connections and gathers what comes back. PROTOCOL.md § Events and asks. */
import type { Clock, Timer } from '../../contract/clock.js'
import { CLOSE, type FrameOf, Violation } from '../../contract/wire/index.js'
import type { Connection, Message } from '../gateway/index.js'
import { CallError } from './errors.js'
import type { Input } from './input.js'

declare module '../gateway/connection.js' {
  interface ConnectionSlots {
    /** Rounds that wait for this connection's answer, and the last one it was asked. */
    asks?: { last: number; readonly waiting: Map<number, AskRound> }
  }
}

/** What one connection made of a question. */
export type Answer<A = unknown> =
  | { readonly status: 'answered'; readonly value: A }
  /**
   * `NO_HANDLER`, `FAILED` (its handler threw), `INVALID` (the answer broke its schema), `OVERLOADED` (too many questions wait); of another
   * node also `TOO_LARGE` (the answer has more than 500,000 bytes) and `UNAVAILABLE` (the node cannot be reached while Redis is away).
   */
  | { readonly status: 'failed'; readonly code: string }
  | { readonly status: 'timeout' }
  /** The connection ended first. */
  | { readonly status: 'gone' }
  /** Its node died first. */
  | { readonly status: 'nodeLost' }

/** An answer and who gave it. */
export interface Answered {
  readonly connection: Connection
  readonly answer: Answer
}

/** How to ask. */
export interface AskOptions {
  /** Milliseconds; default 5,000, at most 300,000. */
  readonly timeout?: number
  /** Stops waiting: who has not answered counts as `gone`. */
  readonly signal?: AbortSignal
}

/** Questions a connection may have open; more fail with OVERLOADED. */
const MAX_WAITING = 256
const DEFAULT_MS = 5000
const MAX_MS = 300_000

/** Milliseconds that connections have to answer. */
export const askMs = ({ timeout = DEFAULT_MS }: AskOptions): number => Math.min(Math.max(0, timeout), MAX_MS)

/** One question to some connections. Iterate over the answers as they come; leaving the loop stops waiting. */
export class AskRound implements AsyncIterableIterator<Answered> {
  readonly #clock: Clock
  readonly #ask: number
  readonly #ack: Input
  readonly #waiting = new Set<Connection>()
  readonly #answers: Answered[] = []
  #timer: Timer | undefined
  #wake: Array<() => void> = []
  readonly #signal: AbortSignal | undefined

  constructor(
    clock: Clock,
    ask: number,
    connections: readonly Connection[],
    message: Message,
    ack: Input,
    options: AskOptions,
  ) {
    this.#clock = clock
    this.#ask = ask
    this.#ack = ack
    for (const connection of connections) this.#put(connection, message)
    if (this.#waiting.size === 0) return
    this.#timer = clock.setTimeout(() => this.#endAll({ status: 'timeout' }), askMs(options))
    const { signal } = options
    this.#signal = signal
    if (signal?.aborted) this.#stop()
    else signal?.addEventListener('abort', this.#stop)
  }

  #put(connection: Connection, message: Message): void {
    if (connection.phase !== 'open') {
      this.#answers.push({ connection, answer: { status: 'gone' } })
      return
    }
    connection.slots.asks ??= { last: 0, waiting: new Map() }
    const { asks } = connection.slots
    if (asks.waiting.size >= MAX_WAITING) {
      this.#answers.push({ connection, answer: { status: 'failed', code: 'OVERLOADED' } })
      return
    }
    this.#waiting.add(connection)
    asks.last = this.#ask
    asks.waiting.set(this.#ask, this)
    // Where it cannot be sent the connection ends, which settles the question.
    connection.sendMessage(message)
  }

  /** An ANSWER came. */
  receive(connection: Connection, value: unknown, code: string | null | undefined): void {
    if (code != null) this.#settle(connection, { status: 'failed', code })
    else this.#settle(connection, this.#checked(value, connection.codec.binary))
  }

  #checked(value: unknown, binary: boolean): Answer {
    try {
      return { status: 'answered', value: this.#ack(value, binary) }
    } catch (error) {
      if (error instanceof CallError) return { status: 'failed', code: 'INVALID' }
      throw error
    }
  }

  /** A connection ended. */
  lose(connection: Connection): void {
    this.#settle(connection, { status: 'gone' })
  }

  #settle(connection: Connection, answer: Answer): void {
    if (!this.#waiting.delete(connection)) return
    connection.slots.asks?.waiting.delete(this.#ask)
    this.#answers.push({ connection, answer })
    if (this.#waiting.size === 0) this.#clear()
    this.#wakeAll()
  }

  #wakeAll(): void {
    const waiting = this.#wake
    this.#wake = []
    for (const wake of waiting) wake()
  }

  #endAll(answer: Answer): void {
    for (const connection of this.#waiting) this.#settle(connection, answer)
  }

  // Nobody looks at the answers any more.
  readonly #stop = (): void => {
    this.#endAll({ status: 'gone' })
    this.#answers.length = 0
  }

  #clear(): void {
    if (this.#timer !== undefined) this.#clock.clearTimeout(this.#timer)
    this.#timer = undefined
    this.#signal?.removeEventListener('abort', this.#stop)
  }

  async next(): Promise<IteratorResult<Answered, undefined>> {
    for (;;) {
      const answered = this.#answers.shift()
      if (answered !== undefined) return { done: false, value: answered }
      if (this.#waiting.size === 0) return { done: true, value: undefined }
      await new Promise<void>((resolve) => this.#wake.push(resolve))
    }
  }

  async return(): Promise<IteratorResult<Answered, undefined>> {
    this.#stop()
    return { done: true, value: undefined }
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  /** See `firstAnswer`. */
  first(): Promise<Answer> {
    return firstAnswer(this)
  }
}

/** The first positive answer; without one, the most telling of the others. Nobody there is `gone`. */
export async function firstAnswer(answers: AsyncIterable<{ readonly answer: Answer }>): Promise<Answer> {
  let best: Answer = { status: 'gone' }
  for await (const { answer } of answers) {
    if (answer.status === 'answered') return answer
    if (answer.status === 'failed' || best.status === 'gone') best = answer
  }
  return best
}

/** Handles ANSWER. One to a question never asked here is a violation, a late one is ignored. */
export function onAnswer(connection: Connection, [, ask, value, code]: FrameOf<'ANSWER'>): void {
  const { asks } = connection.slots
  const round = asks?.waiting.get(ask)
  if (round !== undefined) round.receive(connection, value, code)
  else if (ask > (asks?.last ?? 0)) throw new Violation(CLOSE.UNEXPECTED_FRAME)
}

/** Settles what a connection that ended was asked. */
export function loseAsks(connection: Connection): void {
  for (const round of connection.slots.asks?.waiting.values() ?? []) round.lose(connection)
}
