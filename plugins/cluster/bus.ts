/** Questions between nodes: asks, answers, and both ends of what goes wrong between them. */
import type { Clock, Timer } from '../../contract/clock.js'
import {
  type ClusterAnswer,
  type ClusterAskOptions,
  type LostWhy,
  MAX_ASKS,
  MAX_ASKS_PER_NODE,
} from './cluster.js'
import { sinkOf } from './cluster-memory.js'
import type { Handlers } from './handlers.js'
import { type Ask, type BusMessage, decodeMessage, type End, encodeMessage, type Values } from './messages.js'
import { Reply } from './reply.js'
import { Round, timeOf } from './round.js'

/** What a bus works with. */
export interface BusHost {
  readonly node: string
  readonly clock: Clock
  readonly handlers: Handlers
  /** The other nodes that are alive. */
  others(): readonly string[]
  /** Whether messages arrive now. */
  isUp(): boolean
  /** To one node, or to all others. Rejects where it did not leave. */
  send(text: string, node: string | undefined): Promise<void>
  /** Told what could not be sent. */
  onUnsent(error: unknown): void
}

interface Served {
  readonly from: string
  readonly id: number
  readonly controller: AbortController
  readonly reply: Reply
  readonly timer: Timer
}

/** One node's part of it. */
export class Bus {
  readonly #host: BusHost
  // Questions of this node, by id: at most MAX_ASKS.
  readonly #rounds = new Map<number, Round>()
  // Questions of others, by node and id: at most MAX_ASKS_PER_NODE of a node, MAX_ASKS in all.
  readonly #served = new Map<string, Map<number, Served>>()
  #servedCount = 0
  #lastId = 0
  #isClosed = false

  constructor(host: BusHost) {
    this.#host = host
  }

  /** See `Cluster.tell`. */
  tell(kind: string, body: unknown, node: string | undefined): void {
    const { node: from, handlers } = this.#host
    if (node === from) handlers.take(kind, body, from)
    else this.#send({ type: 'tell', from, kind, body }, node)
  }

  /** See `Cluster.ask`. */
  ask(
    kind: string,
    body: unknown,
    { timeout, signal, nodes }: ClusterAskOptions,
  ): AsyncIterableIterator<ClusterAnswer> {
    const { node: from, clock, handlers } = this.#host
    const others = this.#host.others()
    const listed = typeof nodes === 'object' ? new Set(nodes) : undefined
    const asksHere = nodes === undefined || (listed?.has(from) ?? false)
    const away = listed === undefined ? others : [...listed].filter((node) => node !== from)
    const id = ++this.#lastId
    const message = { type: 'ask', from, id, kind, ms: Math.ceil(timeOf(timeout)), body } as const
    const text = away.length > 0 || listed === undefined ? encodeMessage(message) : ''

    const ended = new AbortController()
    const round = new Round(clock, asksHere ? [from, ...away] : away, timeout, signal, (open) => {
      this.#rounds.delete(id)
      ended.abort()
      for (const node of open) if (node !== from) this.#send({ type: 'cancel', from, id }, node)
    })
    if (signal?.aborted || this.#isClosed) {
      round.stop()
      return round
    }
    for (const node of away) if (!others.includes(node)) round.lose(node, 'nodeLost')
    if (this.#rounds.size >= MAX_ASKS) this.#loseOthers(round, 'overloaded')
    else if (!this.#host.isUp()) this.#loseOthers(round, 'unavailable')
    else {
      this.#rounds.set(id, round)
      this.#sendAsk(round, text, listed && away.filter((node) => others.includes(node)))
    }
    if (asksHere) handlers.answer(kind, body, from, ended.signal, sinkOf(round, from))
    round.settle()
    return round
  }

  // To all others even where none is known: one may just have come.
  #sendAsk(round: Round, text: string, nodes: readonly string[] | undefined): void {
    for (const node of nodes ?? [undefined]) {
      this.#host.send(text, node).catch((error: unknown) => {
        this.#host.onUnsent(error)
        if (node === undefined) this.#loseOthers(round, 'unavailable')
        else round.lose(node, 'unavailable')
      })
    }
  }

  /** A message came. What is no message of a known kind is ignored. */
  receive(bytes: Buffer): void {
    const message = decodeMessage(bytes)
    if (message === undefined || message.from === this.#host.node || this.#isClosed) return
    if (message.type === 'tell') this.#host.handlers.take(message.kind, message.body, message.from)
    else if (message.type === 'ask') this.#serve(message)
    else if (message.type === 'cancel') this.#forget(message.from, message.id)
    else this.#hear(message, bytes.byteLength)
  }

  #hear(message: Values | End, bytes: number): void {
    const { from, id } = message
    const isWanted = this.#taken(message, bytes)
    // Its end may not have arrived there.
    if (!isWanted && message.type === 'values')
      this.#send({ type: 'cancel', from: this.#host.node, id }, from)
  }

  #taken(message: Values | End, bytes: number): boolean {
    const { from, id, at } = message
    const round = this.#rounds.get(id)
    // It may not have been known when all were asked.
    round?.expect(from)
    const count = round?.countOf(from)
    if (round === undefined || count === undefined) return false
    if (at !== count) {
      round.lose(from, 'unavailable')
      return false
    }
    if (message.type === 'values') {
      const share = Math.ceil(bytes / message.values.length)
      return message.values.every((value) => round.value(from, value, share))
    }
    if (message.lost === undefined) round.done(from)
    else round.lose(from, message.lost)
    return true
  }

  #serve({ from, id, kind, ms, body }: Ask): void {
    const { node, clock, handlers } = this.#host
    const served = this.#served.get(from) ?? new Map<number, Served>()
    if (served.has(id)) return
    const send = (message: BusMessage): void => this.#send(message, from)
    if (served.size >= MAX_ASKS_PER_NODE || this.#servedCount >= MAX_ASKS) {
      send({ type: 'end', from: node, id, at: 0, lost: 'overloaded' })
      return
    }
    const controller = new AbortController()
    const reply = new Reply({
      // The values are text already.
      values: (at, texts) => {
        const head = JSON.stringify({ type: 'values', from: node, id, at })
        this.#sendText(`${head.slice(0, -1)},"values":[${texts.join(',')}]}`, from)
      },
      end: (at, lost) => {
        this.#forget(from, id)
        send({ type: 'end', from: node, id, at, ...(lost !== undefined && { lost }) })
      },
    })
    const timer = clock.setTimeout(() => this.#forget(from, id), timeOf(ms))
    served.set(id, { from, id, controller, reply, timer })
    this.#served.set(from, served)
    this.#servedCount++
    handlers.answer(kind, body, from, controller.signal, reply)
  }

  // It was answered, or nobody waits for it any more.
  #forget(from: string, id: number): void {
    const served = this.#served.get(from)
    const found = served?.get(id)
    if (served === undefined || found === undefined) return
    served.delete(id)
    if (served.size === 0) this.#served.delete(from)
    this.#servedCount--
    this.#host.clock.clearTimeout(found.timer)
    found.reply.drop()
    found.controller.abort()
  }

  /** A node is no more: nothing of it is awaited, and it waits for nothing. */
  lose(node: string): void {
    for (const round of this.#rounds.values()) round.lose(node, 'nodeLost')
    for (const id of [...(this.#served.get(node)?.keys() ?? [])]) this.#forget(node, id)
  }

  /** Messages may have been lost: of no other node can it be said that it will answer. */
  interrupted(): void {
    for (const round of [...this.#rounds.values()]) this.#loseOthers(round, 'unavailable')
  }

  #loseOthers(round: Round, why: LostWhy): void {
    for (const node of round.open) if (node !== this.#host.node) round.lose(node, why)
  }

  /** Ends everything. Safe to repeat. */
  close(): void {
    this.#isClosed = true
    for (const round of [...this.#rounds.values()]) round.stop()
    for (const [node, served] of [...this.#served])
      for (const id of [...served.keys()]) this.#forget(node, id)
  }

  #send(message: BusMessage, node: string | undefined): void {
    this.#sendText(encodeMessage(message), node)
  }

  #sendText(text: string, node: string | undefined): void {
    this.#host.send(text, node).catch((error: unknown) => this.#host.onUnsent(error))
  }
}
