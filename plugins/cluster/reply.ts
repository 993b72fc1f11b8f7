/** The answers of this node to another one's question: those of one turn of the event loop leave as one message. */
import { setImmediate } from 'node:timers'
import { type LostWhy, MESSAGE_BYTES } from './cluster.js'
import type { AnswerSink } from './handlers.js'

/** Characters of answers that leave together; a larger answer leaves by itself. */
const GROUP = 65_536
/** Bytes of one value: the rest of a message is left for what stands beside it. */
const VALUE_BYTES = MESSAGE_BYTES - 1024

/** What is sent, answers being JSON text. */
export interface ReplyTo {
  values(at: number, texts: readonly string[]): void
  end(at: number, lost: LostWhy | undefined): void
}

/** One question being answered. */
export class Reply implements AnswerSink {
  readonly #to: ReplyTo
  #texts: string[] = []
  #size = 0
  #sent = 0
  #scheduled = false
  #isOver = false

  constructor(to: ReplyTo) {
    this.#to = to
  }

  /** An answer above the bound ends it as `failed`. */
  value(value: unknown): boolean {
    if (this.#isOver) return false
    const text = JSON.stringify(value) ?? 'null'
    if (text.length * 3 > VALUE_BYTES && Buffer.byteLength(text) > VALUE_BYTES) {
      this.end('failed')
      return false
    }
    if (this.#size + text.length > GROUP) this.#flush()
    this.#texts.push(text)
    this.#size += text.length
    if (!this.#scheduled) {
      this.#scheduled = true
      setImmediate(this.#turn)
    }
    return true
  }

  end(lost?: LostWhy): void {
    if (this.#isOver) return
    this.#flush()
    this.#isOver = true
    this.#to.end(this.#sent, lost)
  }

  /** Nobody waits for it any more. */
  drop(): void {
    this.#isOver = true
    this.#texts = []
  }

  readonly #turn = (): void => {
    this.#scheduled = false
    this.#flush()
  }

  #flush(): void {
    if (this.#isOver || this.#texts.length === 0) return
    this.#to.values(this.#sent, this.#texts)
    this.#sent += this.#texts.length
    this.#texts = []
    this.#size = 0
  }
}
