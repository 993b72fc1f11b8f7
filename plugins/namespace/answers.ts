/** Answers of connections, wherever they are, as they come. */
import { type Answer, type AskOptions, askMs, CallError, type Events, eventsOf } from '../calls/index.js'
import { type Cluster, type ClusterAnswer, clusterOf, type LostWhy } from '../cluster/index.js'
import type { Mount } from '../gateway/index.js'
import { fieldsOf, texts } from './check.js'
import { infoOf, type Target } from './members.js'
import { type AskBody, KIND, type LocalAnswer } from './questions.js'
import type { MemberInfo } from './types.js'

/** Milliseconds that a node's answers may be on their way: connections have all of the time, their nodes this much more. */
const WAY_MS = 500

/** An answer and who gave it. */
export interface MemberAnswerView {
  readonly node: string
  readonly member: MemberInfo | undefined
  readonly answer: Answer
}

const LOST: Readonly<Record<LostWhy, Answer>> = {
  nodeLost: { status: 'nodeLost' },
  timeout: { status: 'timeout' },
  unavailable: { status: 'failed', code: 'UNAVAILABLE' },
  overloaded: { status: 'failed', code: 'OVERLOADED' },
  failed: { status: 'failed', code: 'FAILED' },
}

/** What a node has said of whom it asks. */
interface Asked {
  readonly waiting: Map<string, MemberInfo>
  isWhole: boolean
}

/** Leaving the loop stops waiting, on all nodes. */
export class Answers implements AsyncIterableIterator<MemberAnswerView> {
  readonly #cluster: Cluster
  readonly #events: Events
  readonly #event: string
  readonly #round: AsyncIterableIterator<ClusterAnswer>
  readonly #asked = new Map<string, Asked>()
  readonly #lost: MemberAnswerView[] = []

  /** Asks at once. Throws ACKORD_UNKNOWN_NAME, ACKORD_INVALID_PAYLOAD; a ClusterError where the payload is too large for other nodes. */
  constructor(mount: Mount, target: Target, event: string, payload: unknown, options: AskOptions) {
    const timeout = askMs(options)
    this.#cluster = clusterOf(mount.gateway)
    this.#events = eventsOf(mount)
    this.#event = event
    const text = this.#events.question(event, payload)
    const body: AskBody = { path: mount.path, target, event, payload: text, timeout }
    this.#round = this.#cluster.ask(KIND.ASK, body, { timeout: timeout + WAY_MS, signal: options.signal })
  }

  async next(): Promise<IteratorResult<MemberAnswerView, undefined>> {
    for (;;) {
      const lost = this.#lost.shift()
      if (lost !== undefined) return { done: false, value: lost }
      const next = await this.#round.next()
      if (next.done) {
        // Two may wait for the last, which was several.
        if (this.#lost.length > 0) continue
        return next
      }
      const answer = this.#take(next.value)
      if (answer !== undefined) return { done: false, value: answer }
    }
  }

  #take(answer: ClusterAnswer): MemberAnswerView | undefined {
    const { node } = answer
    if (answer.lost !== undefined) this.#lose(node, LOST[answer.lost])
    else if (node === this.#cluster.node) return { node, ...(answer.value as LocalAnswer) }
    else return this.#heard(node, answer.value)
    return undefined
  }

  #heard(node: string, value: unknown): MemberAnswerView | undefined {
    let asked = this.#asked.get(node)
    if (asked === undefined) {
      asked = { waiting: new Map(), isWhole: false }
      this.#asked.set(node, asked)
    }
    const [connection, session, user] = texts(value, 3) ?? []
    if (value === null) asked.isWhole = true
    else if (connection !== undefined && session !== undefined && user !== undefined)
      asked.waiting.set(connection, infoOf(node, [connection, session, user]))
    else {
      const { of, answer } = fieldsOf(value)
      const member = asked.waiting.get(String(of))
      if (member === undefined) return undefined
      asked.waiting.delete(member.connection)
      return { node, member, answer: this.#answerOf(fieldsOf(answer)) }
    }
    return undefined
  }

  #answerOf({ status, value, code }: Readonly<Record<string, unknown>>): Answer {
    if (status === 'timeout' || status === 'gone' || status === 'nodeLost') return { status }
    if (status !== 'answered') return { status: 'failed', code: String(code) }
    try {
      return { status, value: this.#events.answer(this.#event, String(value)) }
    } catch (error) {
      // Of a node with another version of the contract.
      if (error instanceof CallError || error instanceof SyntaxError)
        return { status: 'failed', code: 'INVALID' }
      throw error
    }
  }

  // Whoever has not answered will not; before a node has said who they are it answers for all of them.
  #lose(node: string, answer: Answer): void {
    const asked = this.#asked.get(node)
    for (const member of asked?.waiting.values() ?? []) this.#lost.push({ node, member, answer })
    asked?.waiting.clear()
    if (!asked?.isWhole) this.#lost.push({ node, member: undefined, answer })
  }

  async return(): Promise<IteratorResult<MemberAnswerView, undefined>> {
    this.#lost.length = 0
    await this.#round.return?.()
    return { done: true, value: undefined }
  }

  [Symbol.asyncIterator](): this {
    return this
  }
}
