/** One question to some nodes, and what has come back. */
import type { Clock, Timer } from '../../contract/clock.js'
import { type ClusterAnswer, type LostWhy, MAX_NODES, UNREAD_BYTES } from './cluster.js'

/** Milliseconds a question may take, at most. */
const MAX_MS = 300_000

/** Milliseconds that a question has: what it says, within 0 and 300,000. More than a timer takes would be no time at all. */
export const timeOf = (timeout: number): number => Math.min(Math.max(0, timeout), MAX_MS)

interface Asked {
  /** Values of it so far. */
  count: number
  isOpen: boolean
}

interface Unread {
  readonly answer: ClusterAnswer
  readonly bytes: number
}

/** Iterate over the answers as they come; leaving the loop ends it. Settles at its timeout, whatever the nodes do. */
export class Round implements AsyncIterableIterator<ClusterAnswer> {
  readonly #clock: Clock
  readonly #asked = new Map<string, Asked>()
  readonly #unread: Unread[] = []
  readonly #signal: AbortSignal | undefined
  readonly #timer: Timer
  readonly #onEnd: (open: readonly string[]) => void
  #unreadBytes = 0
  #open = 0
  #wake: Array<() => void> = []
  #isOver = false

  /** `onEnd` is called once, when nothing is awaited any more, with the nodes that were still to answer. */
  constructor(
    clock: Clock,
    nodes: readonly string[],
    timeout: number,
    signal: AbortSignal | undefined,
    onEnd: (open: readonly string[]) => void,
  ) {
    this.#clock = clock
    this.#onEnd = onEnd
    this.#signal = signal
    this.#timer = clock.setTimeout(() => this.#loseAll('timeout'), timeOf(timeout))
    for (const node of nodes) this.expect(node)
    signal?.addEventListener('abort', this.stop)
  }

  /** Nothing is awaited any more. */
  get isOver(): boolean {
    return this.#isOver
  }

  /** Nodes that have not said all. */
  get open(): string[] {
    return [...this.#asked].filter(([, { isOpen }]) => isOpen).map(([node]) => node)
  }

  /** A node will answer. False where it was known, or there are too many. */
  expect(node: string): boolean {
    if (this.#isOver || this.#asked.has(node) || this.#asked.size >= MAX_NODES) return false
    this.#asked.set(node, { count: 0, isOpen: true })
    this.#open++
    return true
  }

  /** How many values of a node have come; undefined where it is not awaited any more. */
  countOf(node: string): number | undefined {
    const asked = this.#asked.get(node)
    return asked?.isOpen ? asked.count : undefined
  }

  /** A value of a node; `bytes` where it takes memory that this node has no bound for itself. False where nobody wants it. */
  value(node: string, value: unknown, bytes = 0): boolean {
    const asked = this.#asked.get(node)
    if (!asked?.isOpen) return false
    if (this.#unreadBytes + bytes > UNREAD_BYTES) {
      this.lose(node, 'overloaded')
      return false
    }
    asked.count++
    this.#push({ node, value }, bytes)
    return true
  }

  /** A node has said all. */
  done(node: string): void {
    const asked = this.#asked.get(node)
    if (!asked?.isOpen) return
    asked.isOpen = false
    this.#open--
    this.settle()
  }

  /** Nothing more of a node will come. */
  lose(node: string, lost: LostWhy): void {
    if (!this.#asked.get(node)?.isOpen) return
    this.#push({ node, lost }, 0)
    this.done(node)
  }

  /** Ends it where no node is awaited: to be called once all are expected. */
  settle(): void {
    if (this.#open === 0) this.#end()
  }

  /** Nobody wants the answers any more. */
  readonly stop = (): void => {
    this.#unread.length = 0
    this.#end()
  }

  #loseAll(lost: LostWhy): void {
    const { open } = this
    for (const node of open) this.#push({ node, lost }, 0)
    this.#end()
  }

  #push(answer: ClusterAnswer, bytes: number): void {
    this.#unread.push({ answer, bytes })
    this.#unreadBytes += bytes
    this.#wakeAll()
  }

  #end(): void {
    if (this.#isOver) return
    const { open } = this
    this.#isOver = true
    for (const asked of this.#asked.values()) asked.isOpen = false
    this.#clock.clearTimeout(this.#timer)
    this.#signal?.removeEventListener('abort', this.stop)
    this.#wakeAll()
    this.#onEnd(open)
  }

  #wakeAll(): void {
    const waiting = this.#wake
    this.#wake = []
    for (const wake of waiting) wake()
  }

  async next(): Promise<IteratorResult<ClusterAnswer, undefined>> {
    for (;;) {
      const unread = this.#unread.shift()
      if (unread !== undefined) {
        this.#unreadBytes -= unread.bytes
        return { done: false, value: unread.answer }
      }
      if (this.#isOver) return { done: true, value: undefined }
      await new Promise<void>((resolve) => this.#wake.push(resolve))
    }
  }

  async return(): Promise<IteratorResult<ClusterAnswer, undefined>> {
    this.stop()
    return { done: true, value: undefined }
  }

  [Symbol.asyncIterator](): this {
    return this
  }
}
