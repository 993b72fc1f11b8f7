/**
 * The nodes that serve one app together: who is alive, and what they ask each other. One interface; the memory sibling is one node that
 * knows no other. Every implementation passes test/conformance/cluster.ts unchanged. docs/decisions/cluster.md.
 */

/** A node that is alive, as it last said of itself. */
export interface ClusterNode {
  readonly id: string
  /** Open connections by namespace path, up to `2 × BEAT_MS` old; of this node, as they are now. */
  readonly counts: Readonly<Record<string, number>>
}

/** `left`: it said that it stops. `lost`: nothing was seen of it for `LOST_MS`. */
export type NodeEvent = 'joined' | 'lost' | 'left'

/**
 * Why a node's answer ends before its end. `nodeLost`: it died or stopped. `timeout`: the time was over. `unavailable`: Redis is away, or a
 * message was lost on the way. `overloaded`: a bound was met, on this node or that. `failed`: its handler threw.
 */
export type LostWhy = 'nodeLost' | 'timeout' | 'unavailable' | 'overloaded' | 'failed'

/** One value of a node, or why there will be no more of it. */
export type ClusterAnswer =
  | { readonly node: string; readonly value: unknown; readonly lost?: undefined }
  | { readonly node: string; readonly lost: LostWhy }

/** Whom to ask, and for how long. */
export interface ClusterAskOptions {
  /** Milliseconds for all answers, 0 to 300,000. */
  readonly timeout: number
  /** Ends the question, here and on the nodes that still answer. */
  readonly signal?: AbortSignal | undefined
  /** Which nodes; default all, this one included. One of the list that is not alive is `nodeLost` at once. */
  readonly nodes?: readonly string[] | 'others' | undefined
}

/**
 * Answers a question, or takes what it is told: what is returned is the one value of this node, undefined is none; an async iterable gives
 * any number. `from` is the node that asks; `signal` aborts when nobody waits any more. `body` came from another node: check it.
 */
export type ClusterHandler = (body: unknown, from: string, signal: AbortSignal) => unknown

/** What the nodes are to each other. */
export interface Cluster {
  /** This node's name, new with each process. */
  readonly node: string
  /** Rises when this node was not heard of for `LOST_MS`, so that others may have written it off. From 1. */
  readonly generation: number
  /** Who is alive, this node included. While Redis is away: who was. */
  nodes(): readonly ClusterNode[]
  /** Whether a node is alive, and its `generation`, where one is given, not given up. */
  isAlive(node: string, generation?: number): boolean
  /**
   * Told of other nodes. A node that was lost is told of again every `LOST_MS`, on each node, until all listeners of one of them have
   * settled well: its name is kept that long, so that what it left can be cleared. One that left is told of as lost where a listener could
   * not settle. The result ends it.
   */
  onNode(listener: (event: NodeEvent, node: string) => void | Promise<void>): () => void
  /** Told when `generation` rose: whatever this node holds elsewhere has to be put there again under the new one. */
  onGeneration(listener: (generation: number) => void): () => void
  /** What this node held elsewhere under a generation was cleared there: it takes the next, where that is still its own. */
  giveUp(generation: number): void
  /** Takes a kind of question, once. A kind that a node does not know is ignored there, as if it had no answer: nodes may be of two versions. */
  handle(kind: string, handler: ClusterHandler): void
  /** To one node, or to all others where none is given. No answer, and none that it arrived. Throws a ClusterError: TOO_LARGE. */
  tell(kind: string, body: unknown, node?: string): void
  /**
   * Asks at once, and gives the values as they come, of each node in its order; a node that could not give all of its own ends with a
   * `lost`. Ends when all have. Leaving the loop ends the question everywhere. Throws a ClusterError: TOO_LARGE.
   */
  ask(kind: string, body: unknown, options: ClusterAskOptions): AsyncIterableIterator<ClusterAnswer>
  /** Says good-bye, and ends all questions. Safe to repeat. */
  close(): Promise<void>
}

/** Milliseconds between two signs of life, and two looks at those of the others. */
export const BEAT_MS = 2000
/** Milliseconds without a sign of life after which a node counts as dead. */
export const LOST_MS = 15_000
/** Bytes of one message between nodes. */
export const MESSAGE_BYTES = 1_048_576
/** Questions that a node may have under way to others, and serve for others in all. */
export const MAX_ASKS = 10_000
/** Of these, for one other node. */
export const MAX_ASKS_PER_NODE = 1000
/** Nodes that one node knows, and that one question takes answers of; more are not seen. */
export const MAX_NODES = 1000
/** Bytes of other nodes' answers that one question keeps for a slow reader; then the node is `overloaded`. */
export const UNREAD_BYTES = 16_777_216

/** Why nodes could not be reached: `UNAVAILABLE` may be tried again. */
export type ClusterErrorCode = 'UNAVAILABLE' | 'TOO_LARGE'

const MESSAGES: Readonly<Record<ClusterErrorCode, string>> = {
  UNAVAILABLE: 'not every node has answered; try again',
  TOO_LARGE: `a message between nodes has at most ${MESSAGE_BYTES} bytes`,
}

/** The other nodes could not be reached, or not with this. */
export class ClusterError extends Error {
  readonly code: ClusterErrorCode
  /** The same may succeed later. */
  readonly retry: boolean
  /** `message`: what happened and what to do, where more is known than the code says. */
  constructor(code: ClusterErrorCode, message: string = MESSAGES[code], options?: ErrorOptions) {
    super(message, options)
    this.name = 'ClusterError'
    this.code = code
    this.retry = code === 'UNAVAILABLE'
  }
}
