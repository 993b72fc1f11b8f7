/** How a call fails on this side. PROTOCOL.md § Errors. */
import type { ErrorName } from '../contract/wire/errors.js'
import type { FrameOf } from '../contract/wire/frames.js'
import type { PlainCode } from './types.js'

/** The codes of the closed table with which the same call may succeed when repeated. */
const RETRY: readonly string[] = [
  'RATE_LIMITED',
  'TIMEOUT',
  'UNAVAILABLE',
  'OVERLOADED',
  'OFFLINE',
  'CONNECTION_LOST',
  'QUEUE_FULL',
  'EXPIRED',
] satisfies ErrorName[]

/** What the codes that this side makes mean. The server's own say it by their names and data. */
const TEXT: ReadonlyMap<string, string> = new Map(
  Object.entries({
    OFFLINE: 'no connection, call again when it is open',
    CONNECTION_LOST: 'the connection was lost, it may have run',
    OUTCOME_UNKNOWN: 'the connection was lost, look whether it ran',
    TIMEOUT: 'no answer in time, it may have run',
    EXPIRED: 'not sent in time, call again',
    QUEUE_FULL: 'too many calls wait, see outbox.entries',
    RATE_LIMITED: 'called too often, see retryAfter',
    TOO_LARGE: 'larger than the server takes',
    CANCELLED: 'taken back',
    CLOSED: 'the connection ended for good, see connection.get().closed',
  } satisfies Partial<Record<ErrorName, string>>),
)

// INVALID_INPUT says where and which rule; other data is the contract's own.
const detailOf = (data: unknown): string => {
  const { pointer, rule }: { pointer?: unknown; rule?: unknown } = Object(data)
  return rule === undefined ? 'refused by the server' : `${pointer || 'the input'} breaks the rule ${rule}`
}

/** A failed call, as a rejected promise or as `result.error`: an Error with a `code` to narrow by. */
export class Failure<Code extends string = string, Data = unknown> extends Error {
  readonly code: Code
  readonly data: Data
  /** Whether the same call may succeed when repeated. */
  readonly retry: boolean
  /** Milliseconds to wait before that, where the server said so. */
  readonly retryAfter: number | undefined

  /** `name` is the call's or room's. */
  constructor(name: string, code: Code, data: Data, retryAfter?: number) {
    super(`${name} failed with ${code}: ${TEXT.get(code) ?? detailOf(data)}`)
    this.name = 'Failure'
    this.code = code
    this.data = data
    this.retry = RETRY.includes(code)
    this.retryAfter = retryAfter
    // Made when an answer or a timer comes in: the trace would show this library and nothing of the caller.
    this.stack = `${this.name}: ${this.message}`
  }
}

/** The outcome of a call or join that failed. */
export interface Failed {
  readonly ok: false
  readonly error: Failure<PlainCode, null>
}

/** Fails a call or room by its name. */
export const failed = (name: string, code: PlainCode): Failed => ({
  ok: false,
  error: new Failure(name, code, null),
})

/** Fails it as the server says. Which codes come with which data is the contract's to say, and the server's to keep. */
export const refused = (name: string, [, , code, data, retryAfter]: FrameOf<'FAIL'>): Failed => ({
  ok: false,
  error: new Failure(name, code as PlainCode, data as null, retryAfter ?? undefined),
})
