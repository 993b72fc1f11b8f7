/**
 * The types a generated client is made of. A generated file names these and a descriptor; the logic is in
 * this runtime. PROTOCOL.md is what they speak.
 */
import type { Clock } from '../contract/clock.js'
import type { Codec } from '../contract/wire/codec.js'
import type { Internal, InvalidInput } from '../contract/wire/errors.js'
import type { GapReason } from '../contract/wire/gaps.js'
import type { Failure } from './errors.js'

/** How a call is treated offline and when the connection is lost. PROTOCOL.md § Delivery. */
export type CallDelivery = 'attempt' | 'repeat' | 'once' | 'volatile'

/** What generated code hands to the runtime: the names of a contract and how each is treated. */
export interface Descriptor {
  readonly name: string
  readonly version: string
  readonly hash: string
  readonly calls: Readonly<Record<string, { readonly delivery: CallDelivery; readonly stream?: true }>>
  readonly events: Readonly<Record<string, { readonly ack?: true }>>
  readonly rooms: Readonly<
    Record<
      string,
      { readonly params: readonly string[]; readonly events: readonly string[]; readonly presence?: true }
    >
  >
}

/** Declared errors of a call: data by code. */
export type ErrorMap = object

/** The codes that no contract declares and that carry no data. PROTOCOL.md § Errors. */
export type PlainCode =
  | 'UNKNOWN_CALL'
  | 'UNKNOWN_ROOM'
  | 'UNAUTHORIZED'
  | 'FORBIDDEN'
  | 'RATE_LIMITED'
  | 'TIMEOUT'
  | 'CANCELLED'
  | 'UNAVAILABLE'
  | 'OVERLOADED'
  | 'OUTCOME_UNKNOWN'
  | 'UPGRADE_REQUIRED'
  | 'OFFLINE'
  | 'CONNECTION_LOST'
  | 'QUEUE_FULL'
  | 'TOO_LARGE'
  | 'EXPIRED'
  | 'REPLACED'
  | 'CLOSED'

/** Every way a call can fail: its declared errors, and the closed table. Narrows by `code`. */
export type CallFailure<E extends ErrorMap> =
  | { [K in keyof E & string]: Failure<K, E[K]> }[keyof E & string]
  | Failure<'INVALID_INPUT', InvalidInput>
  | Failure<'INTERNAL', Internal>
  | Failure<PlainCode, null>

/** What `.result()` resolves to. */
export type Result<A, E extends ErrorMap> =
  | { readonly ok: true; readonly value: A }
  | { readonly ok: false; readonly error: CallFailure<E> }

/** Per call. */
export interface CallOptions {
  /** Gives up (`CANCELLED`) when aborted; the server's handler sees its own signal abort. */
  readonly signal?: AbortSignal
  /**
   * Milliseconds until `TIMEOUT`, from each time it is sent; of delivery `attempt` also from the call until it is sent.
   * Default the client's `timeout`.
   */
  readonly timeout?: number
  /** Milliseconds a queued call may wait for a connection until `EXPIRED`; default the client's `outbox.ttl`. */
  readonly ttl?: number
}

/**
 * A call with an ack. Its input is taken as it is when called. Rejects what JSON cannot carry with a TypeError, and
 * what nests too deep or hides a prototype with a RangeError: the only failures that are no `CallFailure`.
 */
export interface Call<I, A, E extends ErrorMap = Record<never, never>> {
  /** Resolves with the ack; rejects with a `CallFailure`. */
  (input: I, options?: CallOptions): Promise<A>
  /** Resolves with the ack or the failure; rejects only for an input that cannot be sent, with a TypeError or RangeError as above. */
  result(input: I, options?: CallOptions): Promise<Result<A, E>>
}

/** Per stream. */
export interface StreamOptions {
  /** Gives up (`CANCELLED`) when aborted; the server's handler sees its own signal abort. */
  readonly signal?: AbortSignal
  /**
   * Milliseconds until `TIMEOUT`: from the first read until it is sent, and from there for each item, and the end, that somebody
   * waits for. The whole may take any time. Default the client's `timeout`.
   */
  readonly timeout?: number
}

/**
 * The items of a call that is a stream, to be read once: `for await (const item of stream)`. Nothing is sent before the first
 * read; at most 16 items come ahead of the reader. Leaving the loop cancels the call. An end that is none of the reader's choice
 * throws a `CallFailure`, behind the items that came before it: the connection lost is `CONNECTION_LOST`, and nothing is sent again.
 */
export interface Stream<Item, A, E extends ErrorMap = Record<never, never>> {
  /** Its end has the ack as `value`. Throws a TypeError the second time. */
  [Symbol.asyncIterator](): AsyncIterator<Item, A, undefined>
  /**
   * Resolves with the ack or the failure when the stream has ended; `CANCELLED` where its reader left before. Never rejects. Where nobody
   * has begun to read it reads, and drops the items.
   */
  result(): Promise<Result<A, E>>
}

/**
 * A call with items. Its input is taken as it is when called. Throws what JSON cannot carry as a TypeError, and what nests too
 * deep or hides a prototype as a RangeError. As delivery `attempt`: fails with `OFFLINE` where there is no connection.
 */
export type StreamCall<I, Item, A, E extends ErrorMap = Record<never, never>> = (
  input: I,
  options?: StreamOptions,
) => Stream<Item, A, E>

/** A call without an ack: sent when there is a connection that can take it, dropped otherwise. Too large: told to `onError`. */
export type VolatileCall<I> = (input: I) => void

/** A place in a room's log; store it with your own state and hand it to `join({ since })`. */
export interface Position {
  readonly epoch: string
  readonly offset: number
  readonly tag: number
}

/** What comes with a room's event. */
export interface PublicationInfo {
  /** Where it stands in the log; `undefined` for events that are not recoverable. */
  readonly position: Position | undefined
  /** Whether it was replayed on joining rather than received live. */
  readonly recovered: boolean
}

/** Why a membership ended. `refused`: a join again after a reconnect was refused. */
export type LeftReason = 'left' | 'evicted' | 'revoked' | 'closed' | 'refused'

/** What `join` resolves to. */
export type Joined =
  | {
      readonly ok: true
      readonly position: Position | undefined
      /** How many events are replayed. */
      readonly recovered: number
      readonly gap: GapReason | undefined
    }
  | { readonly ok: false; readonly error: CallFailure<Record<never, never>> }

/** Options of `join`. */
export interface JoinOptions {
  /** Continue after this position. */
  readonly since?: Position
  /** Or start with this many of the newest recoverable events. */
  readonly last?: number
}

/** Where a room handle stands. `joining` also while a membership waits for the next connection. */
export type RoomState = 'out' | 'joining' | 'joined'

/** The events of a room or a contract: payload, and the ack where the server asks for one. */
export type EventMap = Readonly<Record<string, { readonly payload: unknown; readonly ack?: unknown }>>

/**
 * A handle on a room. Making one does no I/O; membership is shared and counted by handle. A handle hears what comes while it
 * holds the membership itself. One that joins a room in which another handle is already gets no replay of its own.
 */
export interface Room<E extends object> {
  /** Listens; returns what stops listening. */
  on<N extends keyof E & string>(
    name: N,
    listener: (payload: PayloadIn<E, N>, info: PublicationInfo) => void,
  ): () => void
  /**
   * Told before anything else when events may be missing. Publications wait until the promises of all listeners have
   * settled: 1,000 of them; beyond, they are dropped and the gap is told again as `tooMany`.
   */
  onGap(listener: (reason: GapReason) => void | Promise<void>): () => void
  /** Told when the membership ended from the other side. Not by `leave` or `close`. */
  onLeft(listener: (reason: LeftReason) => void): () => void
  /**
   * Joins, and joins again after each reconnect until `leave`. A second join of the same handle gives the same answer.
   * `options` count where no other handle is in. Settles with the answer, or `TIMEOUT`, `CANCELLED` by `leave`, or why the
   * connection ended for good (`CLOSED`, `UNAUTHORIZED`, `FORBIDDEN`, `UPGRADE_REQUIRED`); while there is no connection it waits for one. Never rejects; throws a TypeError for a `since` that is no position and a `last` that is
   * no integer of 0 or more.
   */
  join(options?: JoinOptions): Promise<Joined>
  /** Ends this handle's membership; the room is left with its last handle. Harmless without a join. */
  leave(): void
  readonly state: RoomState
  /** Told after `state` has changed, once for all changes of a turn. */
  subscribe(listener: () => void): () => void
}

/** What an event carries. */
export type PayloadIn<E, N extends keyof E> = E[N] extends { readonly payload: infer P } ? P : never
type AckIn<E, N extends keyof E> = E[N] extends { readonly ack: infer A } ? A : never
type Asked<E> = { [N in keyof E & string]: E[N] extends { readonly ack: unknown } ? N : never }[keyof E &
  string]

/** Events outside rooms. */
export interface Events<E extends object> {
  /** Listens; returns what stops listening. A listener that throws is told to `onError`; the others are told all the same. */
  on<N extends keyof E & string>(name: N, listener: (payload: PayloadIn<E, N>) => void): () => void
  /** Answers what the server asks. One handler a name: a second one throws. A throw of the handler reaches the server as `failed`. */
  handle<N extends Asked<E>>(
    name: N,
    handler: (payload: PayloadIn<E, N>) => AckIn<E, N> | Promise<AckIn<E, N>>,
  ): () => void
}

/**
 * The connection's states. `open`: WELCOME came. `waiting`: for the next attempt. `closed`: nothing connects by itself any more;
 * after a final close code `connect()` starts afresh, after `close()` nothing does.
 */
export type ConnectionState = 'idle' | 'connecting' | 'open' | 'waiting' | 'closing' | 'closed'

/** An immutable picture of the connection. */
export interface ConnectionSnapshot {
  readonly state: ConnectionState
  /** Lost connections and failed attempts since a connection was last stable: open for 10 s. */
  readonly attempt: number
  /** Milliseconds until the next attempt from when this picture was taken; `undefined` unless waiting. */
  readonly retryIn: number | undefined
  /** Why the last connection ended. */
  readonly closed: { readonly code: number; readonly reason: string } | undefined
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

/** A client. Only these members at the top; the contract's own names below them. */
export interface Client<Calls extends object, E extends object, Rooms extends object> {
  readonly calls: Calls
  readonly events: Events<E>
  readonly rooms: Rooms
  readonly connection: Connection
  readonly outbox: Outbox
  /** Ends for good: rooms are left, calls that wait fail with `CLOSED`, those in flight as when the connection is lost. Safe to repeat. */
  close(): void
}

/** The part of a WebSocket that the client uses: the browser's, Node 22's or the `ws` package's. */
export interface WebSocketLike {
  readonly readyState: number
  /** Bytes that wait to leave; above 64 KiB volatile calls are dropped. */
  readonly bufferedAmount?: number
  binaryType: string
  send(data: string | Uint8Array<ArrayBuffer>): void
  close(code?: number, reason?: string): void
  onopen: ((event: never) => void) | null
  onmessage: ((event: never) => void) | null
  onclose: ((event: never) => void) | null
  onerror: ((event: never) => void) | null
}

/** What makes a WebSocket. */
export type WebSocketClass = new (url: string, protocols: string[]) => WebSocketLike

/** What asks why an upgrade was refused: the global `fetch`, or what a test network has. */
export type FetchLike = (
  url: string,
  init: {
    readonly credentials: 'same-origin' | 'include'
    readonly cache: 'no-store'
    readonly signal: AbortSignal
  },
) => Promise<{ readonly status: number; json(): Promise<unknown> }>

/** Options of a generated client. */
export interface ClientOptions {
  /**
   * Asked for each connection, and again when the server wants a fresh one. A throw counts as a failed attempt, or is tried again
   * while the connection lasts; it is told to `onError` once, until it gives a token again. Absent: the upgrade's cookies decide.
   */
  readonly token?: () => string | Promise<string>
  /**
   * How frames are written: `msgpack` of 'ackord/client/msgpack', for which msgpackr has to be installed. Default JSON. The client of a
   * contract with `Type.Uint8Array()` chooses msgpack by itself.
   */
  readonly codec?: Codec
  /** Default: the global one; Node 20 has none (`import { WebSocket } from 'ws'`). */
  readonly WebSocket?: WebSocketClass
  /**
   * Asks why an upgrade was refused, by a GET of the same address: a WebSocket does not say. Without it such an attempt counts as
   * a lost connection. Default: the global one where `WebSocket` is not given.
   */
  readonly fetch?: FetchLike
  /** Milliseconds an attempt may take, from asking for the token to WELCOME or to why it was refused. Default 10,000. */
  readonly connectTimeout?: number
  /** Milliseconds a call or join may wait for its answer. Default 30,000. */
  readonly timeout?: number
  /** Full jitter between 0 and `base · 2^failures`, at most `max`. Default 500 and 30,000 ms. */
  readonly backoff?: { readonly base?: number; readonly max?: number }
  /**
   * At most this many calls that have not settled, of every delivery but `volatile` (`QUEUE_FULL`); queued ones for at most `ttl` ms
   * (`EXPIRED`; `OUTCOME_UNKNOWN` for a `once` call that was sent). Default 1,000 and 24 h, at most 24 days.
   */
  readonly outbox?: { readonly entries?: number; readonly ttl?: number }
  /**
   * Told of what no promise can carry: a listener or `token` that threw, an address that is none. After the turn. Default:
   * `reportError` where there is one, else the console.
   */
  readonly onError?: (error: unknown) => void
  /** For tests. */
  readonly clock?: Clock
  /** For tests: 0 ≤ n < 1. Default: the runtime's cryptographic one, as ids are made of it. */
  readonly random?: () => number
}

export type { GapReason }
