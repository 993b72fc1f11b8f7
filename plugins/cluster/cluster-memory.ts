/** The cluster of an app without Redis: one node, which is all there is. */
import type { Clock } from '../../contract/clock.js'
import type {
  Cluster,
  ClusterAnswer,
  ClusterAskOptions,
  ClusterHandler,
  ClusterNode,
  LostWhy,
} from './cluster.js'
import { type AnswerSink, Handlers } from './handlers.js'
import { encodeMessage } from './messages.js'
import { Round } from './round.js'

/** What a cluster works with. */
export interface ClusterHost {
  readonly node: string
  readonly clock: Clock
  /** Open connections by namespace path. */
  readonly counts: () => Readonly<Record<string, number>>
  /** Told of a handler or listener that threw. */
  readonly onError: (error: unknown, what: string) => void
  /** Told of a message that did not leave. */
  readonly onUnsent: (error: unknown) => void
}

/** See `Cluster`. */
export class MemoryCluster implements Cluster {
  readonly node: string
  readonly generation = 1
  readonly #host: ClusterHost
  readonly #handlers: Handlers
  readonly #rounds = new Set<Round>()
  #isClosed = false

  constructor(host: ClusterHost) {
    this.#host = host
    this.node = host.node
    this.#handlers = new Handlers(host.onError)
  }

  nodes(): readonly ClusterNode[] {
    return [{ id: this.node, counts: this.#host.counts() }]
  }

  isAlive(node: string, generation = 1): boolean {
    return node === this.node && generation >= this.generation
  }

  onNode(): () => void {
    return () => undefined
  }

  onGeneration(): () => void {
    return () => undefined
  }

  giveUp(): void {}

  handle(kind: string, handler: ClusterHandler): void {
    this.#handlers.add(kind, handler)
  }

  tell(kind: string, body: unknown, node?: string): void {
    if (node === this.node) this.#handlers.take(kind, body, node)
    else this.#checkSize(kind, body)
  }

  ask(
    kind: string,
    body: unknown,
    { timeout, signal, nodes }: ClusterAskOptions,
  ): AsyncIterableIterator<ClusterAnswer> {
    const { node } = this
    const ended = new AbortController()
    if (typeof nodes !== 'object') this.#checkSize(kind, body)
    const asked = nodes === 'others' ? [] : [...new Set(nodes ?? [node])]
    const round = new Round(this.#host.clock, asked, timeout, signal, () => {
      this.#rounds.delete(round)
      ended.abort()
    })
    this.#rounds.add(round)
    for (const other of asked) if (other !== node) round.lose(other, 'nodeLost')
    if (signal?.aborted || this.#isClosed) round.stop()
    else if (asked.includes(node)) this.#handlers.answer(kind, body, node, ended.signal, sinkOf(round, node))
    round.settle()
    return round
  }

  // What fits one node has to fit several.
  #checkSize(kind: string, body: unknown): void {
    encodeMessage({ type: 'tell', from: this.node, kind, body })
  }

  async close(): Promise<void> {
    this.#isClosed = true
    for (const round of this.#rounds) round.stop()
  }
}

/** Where the answers of a node in this process go. */
export const sinkOf = (round: Round, node: string): AnswerSink => ({
  value: (value: unknown) => round.value(node, value),
  end: (lost?: LostWhy) => (lost === undefined ? round.done(node) : round.lose(node, lost)),
})
