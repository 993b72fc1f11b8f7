/** Options of a generated client. */
import type { Clock } from '../../contract/clock.js'
import type { Codec } from '../../contract/wire/codec.js'
import type { JoinOptions } from './rooms.js'

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
) => Promise<{
  readonly status: number
  readonly body: { getReader(): BodyReader } | null
}>

/** Reads the body of an answer, in parts. */
export interface BodyReader {
  read(): Promise<{ readonly done: boolean; readonly value?: Uint8Array | undefined }>
}

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
   * Where the inbox starts, in contracts with recoverable events outside rooms: after a position that the application stored, or with this many of
   * the newest. Default: with what comes once it is joined, which is after the connection is open.
   */
  readonly inbox?: JoinOptions | undefined
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
