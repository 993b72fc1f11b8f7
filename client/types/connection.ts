/** The connection of a generated client, and what waits for one. */

/**
 * The connection's states. `open`: WELCOME came. A connection that the server asked to leave is
 * `open` until the next one is. `waiting`: for the next attempt. `closed`: nothing connects by itself any more;
 * after a final close code `connect()` starts afresh, after `close()` nothing does.
 */
export type ConnectionState = 'idle' | 'connecting' | 'open' | 'waiting' | 'closing' | 'closed'

/** An immutable picture of the connection. */
export interface ConnectionSnapshot {
  readonly state: ConnectionState
  /**
   * Lost connections and failed attempts since a connection was last stable: open for 10 s. One that the server sent on as soon as it
   * was open counts as lost.
   */
  readonly attempt: number
  /** Milliseconds until the next attempt from when this picture was taken; `undefined` unless waiting. */
  readonly retryIn: number | undefined
  /** Why the last connection, or the last attempt at one, ended. */
  readonly closed: { readonly code: number; readonly reason: string } | undefined
  /**
   * Whether the server said that it cannot store or share what is published now: what needs that is refused with `UNAVAILABLE`, and queued calls
   * wait. What is volatile may go no further than the node. False without a connection.
   */
  readonly degraded: boolean
}

/** The connection of a client. */
export interface Connection {
  readonly state: ConnectionState
  /** The newest picture; the same object until something changes. */
  get(): ConnectionSnapshot
  /** Told after a change, once for all changes of a turn. */
  subscribe(listener: () => void): () => void
  /** Connects now: from `idle`, instead of waiting, or afresh after a final close code. Calls, joins and `events` connect from `idle`. */
  connect(): void
}

/** A queued call, as the outbox shows it. */
export interface OutboxEntry {
  readonly id: string
  readonly call: string
  readonly input: unknown
  /** Milliseconds since 1970 when it was called. */
  readonly at: number
  /** Whether it left for the server and waits for its ack. */
  readonly sent: boolean
}

/** The calls of delivery `repeat` and `once` that wait for a connection or an ack. */
export interface Outbox {
  readonly size: number
  /** In order; the same array until something changes. */
  entries(): readonly OutboxEntry[]
  /** Takes one back (`CANCELLED`); false if it has settled. */
  cancel(id: string): boolean
  /** Takes all back. */
  clear(): void
  /** Told after a change, once for all changes of a turn. */
  subscribe(listener: () => void): () => void
}
