/** Calls and streams of a generated client, and how they fail. */
import type { Internal, InvalidInput } from '../../contract/wire/errors.js'
import type { Failure } from '../errors.js'

/** How a call is treated offline and when the connection is lost. PROTOCOL.md § Delivery. */
export type CallDelivery = 'attempt' | 'repeat' | 'once' | 'volatile'
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
  /** Milliseconds a queued call may wait for a connection, or because it was refused for now, until `EXPIRED`; default the client's `outbox.ttl`. */
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
