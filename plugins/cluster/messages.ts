/** What nodes say to each other, as JSON. Types and members that a node does not know are ignored: nodes may be of two versions. */
import { ClusterError, type LostWhy, MESSAGE_BYTES } from './cluster.js'

interface FromNode {
  readonly from: string
}

interface OfAsk extends FromNode {
  /** Of the question; unique on the node that asks. */
  readonly id: number
}

/** Goes to whom it names; needs no answer. */
export interface Tell extends FromNode {
  readonly type: 'tell'
  readonly kind: string
  readonly body: unknown
}

/** A question. It is over after `ms` milliseconds, whether or not a `cancel` arrives. */
export interface Ask extends OfAsk {
  readonly type: 'ask'
  readonly kind: string
  readonly ms: number
  readonly body: unknown
}

/** Answers in their order; `at` is how many came before them, so that a message that was lost shows. */
export interface Values extends OfAsk {
  readonly type: 'values'
  readonly at: number
  readonly values: readonly unknown[]
}

/** No more answers. */
export interface End extends OfAsk {
  readonly type: 'end'
  readonly at: number
  readonly lost?: LostWhy | undefined
}

/** Nobody waits for answers any more. */
export interface Cancel extends OfAsk {
  readonly type: 'cancel'
}

/** Any of them. */
export type BusMessage = Tell | Ask | Values | End | Cancel

/** The channel of one node, or of all. */
export const busChannel = (prefix: string, node?: string | undefined): string =>
  `${prefix}:{bus${node === undefined ? '' : `.${node}`}}`

const LOST: ReadonlySet<unknown> = new Set<LostWhy>([
  'nodeLost',
  'timeout',
  'unavailable',
  'overloaded',
  'failed',
])

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && Number(value) >= 0
const isName = (value: unknown): value is string =>
  typeof value === 'string' && value.length > 0 && value.length <= 256

/** Throws a ClusterError: TOO_LARGE. */
export function encodeMessage(message: BusMessage): string {
  const text = JSON.stringify(message)
  // A unit of text takes at most three bytes.
  if (text.length * 3 > MESSAGE_BYTES && Buffer.byteLength(text) > MESSAGE_BYTES)
    throw new ClusterError('TOO_LARGE')
  return text
}

/** Undefined where it is none that this version knows. */
export function decodeMessage(bytes: Buffer): BusMessage | undefined {
  if (bytes.byteLength > MESSAGE_BYTES) return undefined
  const message = parse(bytes)
  if (message === undefined || !isName(message.from)) return undefined
  const { type, from, kind, id, ms, at, body } = message
  if (type === 'tell') return isName(kind) ? { type, from, kind, body } : undefined
  if (!isCount(id)) return undefined
  if (type === 'ask') return isName(kind) && isCount(ms) ? { type, from, id, kind, ms, body } : undefined
  if (type === 'cancel') return { type, from, id }
  if (!isCount(at)) return undefined
  if (type === 'values')
    return Array.isArray(message.values) ? { type, from, id, at, values: message.values } : undefined
  if (type !== 'end') return undefined
  return { type, from, id, at, lost: lostOf(message.lost) }
}

// A reason that a newer node may have is still one.
const lostOf = (lost: unknown): LostWhy | undefined =>
  lost === undefined ? undefined : LOST.has(lost) ? (lost as LostWhy) : 'failed'

function parse(bytes: Buffer): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(bytes.toString())
    return typeof value === 'object' && value !== null ? { ...value } : undefined
  } catch {
    return undefined
  }
}
