import type { ContractDefinition } from '../../contract/contract.js'
import type {
  AckOf,
  AskName,
  EventName,
  EventsOf,
  InboxName,
  ParamsOf,
  PassingName,
  PayloadOf,
  PresenceOf,
  RoomEventsOf,
  RoomsOf,
  Tree,
} from '../../contract/infer.js'
import type { RevokeOptions, RevokeTarget } from '../auth/index.js'
import type { Answer, AskOptions } from '../calls/index.js'
import type { Identity } from '../gateway/index.js'
import type { PresentMember } from '../presence/index.js'
import type { Position } from '../rooms/index.js'

/** One WebSocket of one authenticated user. */
export interface LiveConnection<
  C extends ContractDefinition = ContractDefinition,
  U extends Identity = Identity,
  D = unknown,
> {
  /** Unique among all nodes. */
  readonly id: string
  /** Of one page load or process of its client, across reconnects. */
  readonly session: string
  /** As the last good token, or `reauthorize`, said. */
  readonly user: U
  /** What the namespace's `data` made for it. */
  readonly data: D
  /** Milliseconds since 1970 when it was opened. */
  readonly since: number
  /** The keys of the rooms it is in. */
  readonly rooms: readonly string[]
  /** Bytes that wait to leave. */
  readonly buffered: number
  /** Tells it an event that is not recoverable; false where it is gone or the event was dropped. */
  send<N extends PassingName<C>>(event: N, payload: PayloadOf<EventsOf<C>[N]>): boolean
  /** Asks it; never rejects for what the client does. */
  ask<N extends AskName<C>>(
    event: N,
    payload: PayloadOf<EventsOf<C>[N]>,
    options?: AskOptions,
  ): Promise<Answer<AckOf<EventsOf<C>[N]>>>
  /** Ends it. `kicked` and `revoked`: the client does not come back by itself; `reauthenticate`: at once, with a fresh token. */
  disconnect(code?: 'kicked' | 'revoked' | 'reauthenticate'): void
}

/** How to publish. */
export interface PublishOptions<C extends ContractDefinition, U extends Identity, D> {
  /** The client behind this connection does not get it, now or replayed. */
  readonly except?: LiveConnection<C, U, D>
  /** The same id again within two minutes is not published again. Recoverable events only. */
  readonly id?: string
}

/** One room, by its params. */
export interface LiveRoom<
  E,
  C extends ContractDefinition = ContractDefinition,
  U extends Identity = Identity,
  D = unknown,
> {
  /** The same on every node. */
  readonly key: string
  /**
   * Publishes to all members. Resolves when a recoverable or latest event is kept, with the position of a recoverable
   * one; a volatile one when it is handed on. Rejects with ACKORD_INVALID_PAYLOAD or a BrokerError: after
   * UNAVAILABLE it may yet have been kept, try again under the same `id`.
   */
  publish<N extends keyof E & string>(
    event: N,
    payload: E[N],
    options?: PublishOptions<C, U, D>,
  ): Promise<Position | undefined>
  /**
   * The members on all nodes, and on this one first; of more than 10,000 that many. Rejects with a ClusterError, UNAVAILABLE, where Redis is
   * away, or a node that counts as alive has not answered in 5,000 ms: also one that was killed, until it is lost after 15 s.
   */
  members(): Promise<readonly MemberInfo[]>
  /** The members on this node. */
  connections(): ReadonlyArray<LiveConnection<C, U, D>>
  /** Takes a connection in without asking `join`. A generated client shows the room's events once it has joined by itself. */
  join(connection: LiveConnection<C, U, D>): Promise<void>
  /**
   * Ends the memberships, and joins under way, of a connection or of all connections of a user (by id), on all nodes; how many. What was
   * published before still reaches them, unless `why` is `revoked`: then nothing leaves that was not yet written. On this node it is done when
   * it returns. Rejects with a ClusterError, UNAVAILABLE, where Redis is away, or a node that counts as alive has not said within 5,000 ms that
   * it is done there: also one that was killed, until it is lost after 15 s.
   */
  evict(who: LiveConnection<C, U, D> | MemberInfo | string, why?: 'evicted' | 'revoked'): Promise<number>
  /** Asks every member, on all nodes; iterates over the answers as they come. See `Asking.askAll`. */
  askAll<N extends AskName<C>>(
    event: N,
    payload: PayloadOf<EventsOf<C>[N]>,
    options?: AskOptions,
  ): AsyncIterableIterator<MemberAnswer<AckOf<EventsOf<C>[N]>>>
}

/** A connection, on whichever node. */
export interface MemberInfo {
  /** `LiveConnection.id` on its node. */
  readonly connection: string
  readonly session: string
  /** The user's id. */
  readonly user: string
  readonly node: string
}

/** An answer and who gave it. */
export interface MemberAnswer<A> {
  readonly node: string
  /** Undefined where a node could not even say whom it asks: then `answer` is why, for all that it has. */
  readonly member: MemberInfo | undefined
  readonly answer: Answer<A>
}

/** How much is connected. */
export interface LiveCount {
  /** Open connections of this namespace on all nodes. */
  readonly connections: number
  /** Nodes that are alive, whether or not they serve this namespace. */
  readonly nodes: number
}

/** What a room with presence has besides. */
export interface PresentRoom<S> {
  /**
   * Who is in the room on all nodes: each user once, of more than 10,000 that many. Members of a node that was killed are shown for up to 20 s.
   * Rejects with a ClusterError, UNAVAILABLE, where nobody on this node is in it and Redis is away; with somebody here it is then as it was.
   */
  presence(): Promise<ReadonlyArray<PresentMember<S>>>
}

type RoomPresence<S> = [S] extends [never] ? unknown : PresentRoom<S>

/** The rooms of a contract as functions of their params, dotted names nested. */
export type RoomTree<C extends ContractDefinition, U extends Identity = Identity, D = unknown> = Tree<{
  readonly [K in keyof RoomsOf<C>]: (
    params: ParamsOf<RoomsOf<C>[K]>,
  ) => LiveRoom<RoomEventsOf<RoomsOf<C>[K]>, C, U, D> & RoomPresence<PresenceOf<RoomsOf<C>[K]>>
}>

/** How to send to a user. */
export interface SendOptions {
  /** The same id again for this user within two minutes is not sent again. Recoverable events only. */
  readonly id?: string
}

/** Where an event stands in the inbox that it went into: recoverable ones do. */
export type SentAt<C extends ContractDefinition, N extends EventName<C>> =
  N extends InboxName<C> ? Position : undefined

/** The connections of one user, on all nodes, and their inbox. */
export interface LiveUser<C extends ContractDefinition> extends Asking<C> {
  /**
   * Sends an event. A recoverable one goes into the user's inbox, and resolves when it is kept: it reaches them on all connections, or when they
   * come back. Any other reaches who is connected now, on other nodes by one message to all of them, and resolves when it is handed on.
   * Rejects with ACKORD_INVALID_PAYLOAD, ACKORD_INVALID_PARAMS where the id has none or over 256 characters, a BrokerError, or a ClusterError,
   * TOO_LARGE, where a payload of about 1 MiB fits no message between nodes.
   */
  send<N extends EventName<C>>(
    event: N,
    payload: PayloadOf<EventsOf<C>[N]>,
    options?: SendOptions,
  ): Promise<SentAt<C, N>>
}

/** Every connection, on all nodes. */
export interface Everybody<C extends ContractDefinition> extends Asking<C> {
  /**
   * Tells who is connected now; an event that is not recoverable. Resolves when it is handed on. Rejects with ACKORD_INVALID_PAYLOAD, or a
   * ClusterError, TOO_LARGE, where a payload of about 1 MiB fits no message between nodes.
   */
  send<N extends PassingName<C>>(event: N, payload: PayloadOf<EventsOf<C>[N]>): Promise<void>
}

/** Some connections at once, on all nodes. */
export interface Asking<C extends ContractDefinition> {
  /** The first positive answer of any node, or the most telling of the others; `gone` where nobody is connected. */
  ask<N extends AskName<C>>(
    event: N,
    payload: PayloadOf<EventsOf<C>[N]>,
    options?: AskOptions,
  ): Promise<Answer<AckOf<EventsOf<C>[N]>>>
  /**
   * Every answer of every node, as they come; leaving the loop stops waiting on all of them. Ends 500 ms behind the timeout at the latest. A
   * node that dies meanwhile is `nodeLost` after 15 s (`timeout` where that ends before), for each of its connections that has not answered; while Redis is away this node's connections
   * answer and each other node is one `failed`, `UNAVAILABLE`.
   */
  askAll<N extends AskName<C>>(
    event: N,
    payload: PayloadOf<EventsOf<C>[N]>,
    options?: AskOptions,
  ): AsyncIterableIterator<MemberAnswer<AckOf<EventsOf<C>[N]>>>
}

/** A mounted namespace, for the rest of the API. */
export interface Live<C extends ContractDefinition, U extends Identity, D> {
  /** The open connections of this node. */
  connections(): IterableIterator<LiveConnection<C, U, D>>
  /**
   * How many there are: of this node as it is now; of others as they last said, every 2,000 ms, and of one that was killed until it is lost
   * after 15 s. While Redis is away: as it was.
   */
  count(): Promise<LiveCount>
  /** One user. */
  user(id: string): LiveUser<C>
  /** Everybody. */
  readonly all: Everybody<C>
  /**
   * Ends the connections of a user, a session or a token, on this node at once and then on all others, or asks again what they may do
   * (`mode: 'reauthorize'`), also of those on their way in. A token id stays refused until its token ends: of the last 10,000. Resolves when
   * checks are done on this node and each other one has begun, or after 2,000 ms, with how many open connections were meant on those that have.
   * Rejects with ACKORD_INVALID_OPTION, and where it could not be told to other nodes with a ClusterError, UNAVAILABLE: then it is done on this
   * node, and has to be called again. docs/security.md.
   */
  revoke(target: RevokeTarget, options?: RevokeOptions): Promise<number>
  /** The rooms, by their params. */
  readonly room: RoomTree<C, U, D>
}
