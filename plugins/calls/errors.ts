/** How a handler or a hook refuses a call. PROTOCOL.md § Errors. */
import type { ErrorName } from '../../contract/wire/index.js'

/** Answers a call with a declared error of its contract, or with one of the closed table. */
export class CallError extends Error {
  readonly code: string
  readonly data: unknown
  /** Milliseconds after which a retry makes sense. */
  readonly retryAfter: number | undefined
  constructor(code: string, data: unknown = null, retryAfter?: number) {
    super(code)
    this.name = 'CallError'
    this.code = code
    this.data = data
    this.retryAfter = retryAfter
  }
}

/** Refuses with an error of the closed table; for hooks. `retryAfter` in ms. */
export const refuseCall = (code: ErrorName, retryAfter?: number): CallError =>
  new CallError(code, null, retryAfter)
