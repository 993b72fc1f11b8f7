/**
 * The errors of a call that a contract need not declare, in one closed table. PROTOCOL.md § Errors.
 */

/** One row: which side makes it, and whether the same call may succeed when repeated. */
export interface ErrorCode {
  readonly by: 'server' | 'client'
  readonly retry: boolean
}

/** The table. Declared errors of a contract may not use these names. */
export const ERRORS = {
  INVALID_INPUT: { by: 'server', retry: false },
  UNKNOWN_CALL: { by: 'server', retry: false },
  UNKNOWN_ROOM: { by: 'server', retry: false },
  UNAUTHORIZED: { by: 'server', retry: false },
  FORBIDDEN: { by: 'server', retry: false },
  RATE_LIMITED: { by: 'server', retry: true },
  TIMEOUT: { by: 'server', retry: true },
  CANCELLED: { by: 'server', retry: false },
  UNAVAILABLE: { by: 'server', retry: true },
  OVERLOADED: { by: 'server', retry: true },
  OUTCOME_UNKNOWN: { by: 'server', retry: false },
  UPGRADE_REQUIRED: { by: 'server', retry: false },
  INTERNAL: { by: 'server', retry: false },
  OFFLINE: { by: 'client', retry: true },
  CONNECTION_LOST: { by: 'client', retry: true },
  QUEUE_FULL: { by: 'client', retry: true },
  TOO_LARGE: { by: 'client', retry: false },
  EXPIRED: { by: 'client', retry: true },
  REPLACED: { by: 'client', retry: false },
  CLOSED: { by: 'client', retry: false },
} as const satisfies Record<string, ErrorCode>

/** The code of an error that no contract declares. */
export type ErrorName = keyof typeof ERRORS

/** `data` of INVALID_INPUT: where and which rule, never the value. */
export interface InvalidInput {
  /** JSON pointer into the input (RFC 6901). */
  readonly pointer: string
  /** The rule that failed, such as `StringMaxLength`. */
  readonly rule: string
}

/** `data` of INTERNAL: an id that stands in the server's log, and nothing more. */
export interface Internal {
  readonly id: string
}
