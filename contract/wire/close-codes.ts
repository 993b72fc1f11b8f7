/**
 * Every close code either side may send or see, declared once. The range alone says what a client does:
 * 4000–4499 reconnect, 4500–4999 do not. PROTOCOL.md § Close codes.
 */

/** How soon a client comes back: at once, by its backoff, by a backoff of ten times the base delay, or never. */
export type Retry = 'now' | 'backoff' | 'slow' | 'never'

/** One row of the table. */
export interface CloseCode {
  readonly code: number
  /** Who may send it. `none`: never on the wire, only reported (RFC 6455 § 7.4.1). */
  readonly by: 'client' | 'server' | 'both' | 'none'
  readonly retry: Retry
  /** The reason sent with it; says what to do where something can be done. At most 123 bytes (RFC 6455 § 5.5). */
  readonly reason: string
}

/** The table, by name. */
export const CLOSE = {
  NORMAL: { code: 1000, by: 'client', retry: 'never', reason: 'closed by the application' },
  GOING_AWAY: { code: 1001, by: 'both', retry: 'backoff', reason: 'going away' },
  PROTOCOL_ERROR: { code: 1002, by: 'both', retry: 'never', reason: 'WebSocket protocol error' },
  UNSUPPORTED_DATA: {
    code: 1003,
    by: 'server',
    retry: 'never',
    reason: 'wrong message type for the subprotocol',
  },
  NO_STATUS: { code: 1005, by: 'none', retry: 'backoff', reason: 'closed without a code' },
  ABNORMAL: { code: 1006, by: 'none', retry: 'backoff', reason: 'connection lost' },
  INVALID_UTF8: { code: 1007, by: 'server', retry: 'never', reason: 'invalid UTF-8' },
  POLICY: { code: 1008, by: 'server', retry: 'never', reason: 'refused by policy' },
  TOO_BIG: { code: 1009, by: 'server', retry: 'never', reason: 'message above the limit in WELCOME' },
  SERVER_ERROR: { code: 1011, by: 'server', retry: 'backoff', reason: 'internal error' },
  RESTART: { code: 1012, by: 'server', retry: 'backoff', reason: 'server restarts' },
  TRY_LATER: { code: 1013, by: 'server', retry: 'slow', reason: 'receiver too slow or server too busy' },

  HEARTBEAT_LOST: { code: 4000, by: 'both', retry: 'now', reason: 'no BEAT in time' },
  HANDSHAKE_TIMEOUT: { code: 4001, by: 'server', retry: 'backoff', reason: 'no HELLO in time' },
  TOKEN_EXPIRED: {
    code: 4002,
    by: 'server',
    retry: 'now',
    reason: 'token expired; come back with a fresh one',
  },
  REAUTHENTICATE: {
    code: 4003,
    by: 'server',
    retry: 'now',
    reason: 'authorization changed; authenticate again',
  },
  MOVED: { code: 4004, by: 'client', retry: 'now', reason: 'replaced by the next connection' },
  FLOODED: { code: 4005, by: 'server', retry: 'slow', reason: 'rate limits ignored' },
  AUTH_UNAVAILABLE: {
    code: 4006,
    by: 'server',
    retry: 'backoff',
    reason: 'authentication is not available now',
  },

  MALFORMED: { code: 4500, by: 'both', retry: 'never', reason: 'malformed frame' },
  UNKNOWN_FRAME: { code: 4501, by: 'both', retry: 'never', reason: 'unknown frame type' },
  UNEXPECTED_FRAME: { code: 4502, by: 'server', retry: 'never', reason: 'frame not allowed in this state' },
  DUPLICATE_SEQ: { code: 4503, by: 'server', retry: 'never', reason: 'seq is in use' },
  UNSAFE: { code: 4504, by: 'both', retry: 'never', reason: 'nested too deep or __proto__ in a frame' },
  FENCED: { code: 4505, by: 'server', retry: 'never', reason: 'the session has a newer connection' },
  UNAUTHORIZED: { code: 4506, by: 'server', retry: 'never', reason: 'token missing or refused' },
  FORBIDDEN: { code: 4507, by: 'server', retry: 'never', reason: 'not allowed here' },
  REVOKED: { code: 4508, by: 'server', retry: 'never', reason: 'authorization was revoked' },
  KICKED: { code: 4509, by: 'server', retry: 'never', reason: 'disconnected by the application' },
  OTHER_USER: { code: 4510, by: 'server', retry: 'never', reason: 'the fresh token is of another user' },
  UPGRADE_REQUIRED: {
    code: 4511,
    by: 'server',
    retry: 'never',
    reason: 'the client is too old; reload or regenerate it',
  },
} as const satisfies Record<string, CloseCode>

/** The hints of the table, and RFC 6455 § 7.4.1 for the codes that are in no table. */
const NEVER = [1000, 1002, 1003, 1007, 1008, 1009, 1010, 1015]
const NOW = [4000, 4002, 4003, 4004]
const SLOW = [1013, 4005]

/**
 * How soon a client comes back after a close code: by range in the 4000s, by RFC 6455 below. Codes of neither kind
 * count as a lost connection.
 */
export function retryOf(code: number): Retry {
  if ((code >= 4500 && code <= 4999) || NEVER.includes(code)) return 'never'
  if (NOW.includes(code)) return 'now'
  return SLOW.includes(code) ? 'slow' : 'backoff'
}

/** Whether a client reconnects after a close code. */
export const reconnects = (code: number): boolean => retryOf(code) !== 'never'
