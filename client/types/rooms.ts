/** Rooms and events of a generated client. */
import type { GapReason } from '../../contract/wire/gaps.js'
import type { CallFailure } from './calls.js'

/** A place in a room's log; store it with your own state and hand it to `join({ since })`. */
export interface Position {
  readonly epoch: string
  readonly offset: number
  readonly tag: number
}

/** What comes with an event of a room or of the inbox. */
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
  readonly since?: Position | undefined
  /** Or start with this many of the newest recoverable events. */
  readonly last?: number | undefined
}

/**
 * Where a room handle stands. `joining` also while a membership waits for the next connection: after the connection was closed for good, until
 * `connection.connect()`.
 */
export type RoomState = 'out' | 'joining' | 'joined'

/** The events of a room or a contract: payload, and the ack where the server asks for one; `delivery` of those that the inbox brings. */
export type EventMap = Readonly<
  Record<
    string,
    { readonly payload: unknown; readonly ack?: unknown; readonly delivery?: 'recoverable' | undefined }
  >
>

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
   * connection ended for good (`CLOSED`, `UNAUTHORIZED`, `FORBIDDEN`, `UPGRADE_REQUIRED`); while there is no connection it waits for one. Where the
   * server answers `UNAVAILABLE`, as while `connection.get().degraded`, it waits too, for as long as that lasts, and asks again. Never rejects; throws a TypeError for a `since` that is no position and a `last` that is
   * no integer of 0 or more.
   */
  join(options?: JoinOptions): Promise<Joined>
  /** Ends this handle's membership; the room is left with its last handle. Harmless without a join. */
  leave(): void
  readonly state: RoomState
  /** Told after `state` has changed, once for all changes of a turn. */
  subscribe(listener: () => void): () => void
}

/** A user in a room, with all their connections. */
export interface Member<S> {
  readonly user: string
  /** What the newest of their connections that set one shows; `undefined` until one has. */
  readonly state: S | undefined
  /** How many of their connections are in the room. */
  readonly connections: number
}

/** Who is in a room, and what they show. */
export interface Presence<S> {
  /**
   * Everybody who is there, oneself included, while the handle holds the membership; else nobody. The same array until it changes. After a loss it
   * stays as it was until the room is joined again.
   */
  get(): readonly Member<S>[]
  /** Told after `get()` has changed, once for all changes of a turn. */
  subscribe(listener: () => void): () => void
  /**
   * Shows this state to the others, for this client; again after each reconnect. Before `join` it waits for it. Throws what JSON cannot carry. One of
   * more than 4,096 bytes of JSON (UTF-8; bytes as base64) is told to `onError` as `TOO_LARGE` and changes nothing: what was shown before stays.
   */
  set(state: S): void
}

/** A room whose contract has `presence`. */
export interface RoomWithPresence<E extends object, S> extends Room<E> {
  readonly presence: Presence<S>
}

/** What an event carries. */
export type PayloadIn<E, N extends keyof E> = E[N] extends { readonly payload: infer P } ? P : never
type AckIn<E, N extends keyof E> = E[N] extends { readonly ack: infer A } ? A : never
type Asked<E> = { [N in keyof E & string]: E[N] extends { readonly ack: unknown } ? N : never }[keyof E &
  string]

type Recoverable<E> = {
  [N in keyof E & string]: E[N] extends { readonly delivery: 'recoverable' } ? N : never
}[keyof E & string]

/** What listens to an event outside rooms; `info` comes with recoverable ones. */
export type EventListener<E, N extends keyof E & string> =
  N extends Recoverable<E>
    ? (payload: PayloadIn<E, N>, info: PublicationInfo) => void
    : (payload: PayloadIn<E, N>) => void

/** Events outside rooms. */
export interface Events<E extends object> {
  /** Listens; returns what stops listening. A listener that throws is told to `onError`; the others are told all the same. */
  on<N extends keyof E & string>(name: N, listener: EventListener<E, N>): () => void
  /** Answers what the server asks. One handler a name: a second one throws. A throw of the handler reaches the server as `failed`. */
  handle<N extends Asked<E>>(
    name: N,
    handler: (payload: PayloadIn<E, N>) => AckIn<E, N> | Promise<AckIn<E, N>>,
  ): () => void
}

/** Of a contract with recoverable ones: those come from the user's inbox, which goes on where it stood after each reconnect. */
export interface InboxEvents<E extends object> extends Events<E> {
  /** Told before anything else of the inbox when recoverable events may be missing; they wait as those of a room do, see `Room.onGap`. */
  onGap(listener: (reason: GapReason) => void | Promise<void>): () => void
}

/** `InboxEvents` where some event is recoverable, `Events` otherwise. */
export type EventsOf<E extends object> = [Recoverable<E>] extends [never] ? Events<E> : InboxEvents<E>

export type { GapReason }
