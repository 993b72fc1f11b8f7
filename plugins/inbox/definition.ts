/** The inbox of a contract: for each user a room of their own, whose name is empty. PROTOCOL.md § Inbox. */
import { createHash } from 'node:crypto'
import type { HistoryDefinition } from '../../contract/contract.js'
import { MAX_TEXT } from '../../contract/wire/index.js'
import { compileEvents, logOf, type PublishableRoom, type RoomHost } from '../rooms/core.js'

/** What is kept for each user where the contract does not say. */
const KEPT: HistoryDefinition = { messages: 1000, seconds: 86_400, bytes: 1_048_576 }
/** UTF-16 units of a user's id. */
const MAX_USER = 256

/** Whose inbox it is: the params of the room. */
export interface InboxParams {
  readonly user: string
}

/** Compiles the inbox of a contract; undefined where none of its events outside rooms is recoverable. */
export function compileInbox(host: RoomHost): PublishableRoom | undefined {
  const { events = {}, inbox = KEPT } = host.contract
  const recoverable = Object.entries(events).filter(([, { delivery }]) => delivery === 'recoverable')
  if (recoverable.length === 0) return undefined
  return {
    name: '',
    params: {
      check: isParams,
      explain: () => ({ pointer: '/user', rule: `StringOf1To${MAX_USER}` }),
    },
    events: compileEvents(host, Object.fromEntries(recoverable), ''),
    log: logOf(host, inbox),
    keyOf: (params) => inboxKey((params as InboxParams).user),
  }
}

function isParams(params: unknown): params is InboxParams {
  const { user } = Object(params) as { user?: unknown }
  return typeof user === 'string' && user.length > 0 && user.length <= MAX_USER
}

/** The key of a user's inbox: that of no other user, and of no room of a contract, which ends with `]`. */
export function inboxKey(user: string): string {
  // JSON, because half a surrogate pair has no UTF-8: two users would share a key in Redis.
  const text = JSON.stringify(user)
  // Of control characters alone it can be too long for a frame.
  return text.length < MAX_TEXT ? `@${text}` : `@${createHash('sha256').update(text).digest('base64url')}`
}
