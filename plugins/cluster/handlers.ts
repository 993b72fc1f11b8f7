/** Who answers which kind of question on this node. */
import type { ClusterHandler, LostWhy } from './cluster.js'

/** Where an answer goes. */
export interface AnswerSink {
  /** False where nobody wants it any more. */
  value(value: unknown): boolean
  /** Once, behind the last value. */
  end(lost?: LostWhy): void
}

/** The handlers by kind. */
export class Handlers {
  readonly #handlers = new Map<string, ClusterHandler>()
  readonly #onError: (error: unknown, kind: string) => void

  constructor(onError: (error: unknown, kind: string) => void) {
    this.#onError = onError
  }

  /** Throws where a kind has one. */
  add(kind: string, handler: ClusterHandler): void {
    if (this.#handlers.has(kind)) throw new Error(`a question of the kind ${kind} is handled already`)
    this.#handlers.set(kind, handler)
  }

  /** Whether a kind has one. */
  has(kind: string): boolean {
    return this.#handlers.has(kind)
  }

  /** Takes what needs no answer. The handler runs at once. */
  take(kind: string, body: unknown, from: string): void {
    const { signal } = new AbortController()
    this.answer(kind, body, from, signal, { value: () => true, end: () => undefined })
  }

  /** Answers. The handler runs at once; nothing goes to `sink` before the next step. */
  answer(kind: string, body: unknown, from: string, signal: AbortSignal, sink: AnswerSink): void {
    const handler = this.#handlers.get(kind)
    this.#run(async () => give(await handler?.(body, from, signal), signal, sink), kind, sink)
  }

  #run(work: () => Promise<void>, kind: string, sink: AnswerSink): void {
    work().then(
      () => sink.end(),
      (error: unknown) => {
        this.#onError(error, kind)
        sink.end('failed')
      },
    )
  }
}

async function give(answer: unknown, signal: AbortSignal, sink: AnswerSink): Promise<void> {
  if (!isIterable(answer)) {
    if (answer !== undefined) sink.value(answer)
    return
  }
  const values = answer[Symbol.asyncIterator]()
  // A loop that waits would not see that it is over.
  const stop = (): void => void values.return?.().catch(() => undefined)
  signal.addEventListener('abort', stop)
  try {
    for (;;) {
      const next = await values.next()
      if (next.done || signal.aborted || !sink.value(next.value)) break
    }
  } finally {
    signal.removeEventListener('abort', stop)
    await values.return?.()
  }
}

const isIterable = (value: unknown): value is AsyncIterable<unknown> =>
  typeof value === 'object' && value !== null && Symbol.asyncIterator in value
