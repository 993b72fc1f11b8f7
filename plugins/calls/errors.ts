/** How a handler or a hook refuses a call, and how that leaves. PROTOCOL.md § Errors. */
import { ERRORS, type ErrorName, FRAMES } from '../../contract/wire/index.js'

/** The longest wait that can be asked for: what a timer can wait, in ms. */
const MAX_RETRY_AFTER = 2 ** 31 - 1

/** Answers a call with a declared error of its contract, or with one of the closed table. */
export class CallError extends Error {
  readonly code: string
  readonly data: unknown
  /** Milliseconds after which a retry makes sense: whole, at most about 24 days. */
  readonly retryAfter: number | undefined
  constructor(code: string, data: unknown = null, retryAfter?: number) {
    super(code)
    this.name = 'CallError'
    this.code = code
    this.data = data
    this.retryAfter = Number.isNaN(retryAfter) ? undefined : retryAfter && wholeMs(retryAfter)
  }
}

const wholeMs = (ms: number): number => Math.min(Math.max(0, Math.ceil(ms)), MAX_RETRY_AFTER)

/** Refuses with an error of the closed table; for hooks. `retryAfter` in ms. */
export const refuseCall = (code: ErrorName, retryAfter?: number): CallError =>
  new CallError(code, null, retryAfter)

/** Whether an error may leave as it is: its code is in the closed table, and none that needs an id of the log. */
export const isPlain = ({ code }: CallError): boolean => Object.hasOwn(ERRORS, code) && code !== 'INTERNAL'

/**
 * The text of a FAIL. `declared` is the data of a declared error, serialized from its schema. Of the closed table only two
 * codes carry data, of which nothing leaves but what PROTOCOL.md names.
 */
export function failureText(seq: number, error: CallError, declared?: string): string {
  const retryAfter = error.retryAfter === undefined ? '' : `,${error.retryAfter}`
  return `[${FRAMES.FAIL.type},${seq},${JSON.stringify(error.code)},${declared ?? plainData(error)}${retryAfter}]`
}

function plainData({ code, data }: CallError): string {
  const { pointer, rule, id } = Object(data) as Readonly<Record<string, unknown>>
  if (code === 'INVALID_INPUT')
    return JSON.stringify({ pointer: String(pointer ?? ''), rule: String(rule ?? '') })
  if (code === 'INTERNAL') return JSON.stringify({ id: String(id) })
  return 'null'
}
