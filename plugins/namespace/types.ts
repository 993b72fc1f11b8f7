/** The typed face of a namespace: what its handlers are given and what the rest of the API reaches it by. */
import type { FastifyBaseLogger, FastifyContextConfig, FastifyInstance, FastifyPluginAsync } from 'fastify'
import type { Contract, ContractDefinition } from '../../contract/contract.js'
import type {
  AckOf,
  AskName,
  CallsOf,
  ErrorsOf,
  EventName,
  EventsOf,
  InboxName,
  InputOf,
  ItemOf,
  ParamsOf,
  PassingName,
  PayloadOf,
  PresenceOf,
  RoomEventsOf,
  RoomsOf,
  Tree,
} from '../../contract/infer.js'
import type { Authenticate, JwtOptions, Reauthorize, RevokeOptions, RevokeTarget } from '../auth/index.js'
import type { Answer, AskOptions } from '../calls/index.js'
import type { Identity, Settings } from '../gateway/index.js'
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

/** What a handler is given beside its input. Every member may be taken apart and passed on. */
export interface CallContext<
  Errors = Record<never, never>,
  U extends Identity = Identity,
  Rooms = unknown,
  C extends ContractDefinition = ContractDefinition,
  D = unknown,
> {
  readonly user: U
  readonly connection: LiveConnection<C, U, D>
  readonly rooms: Rooms
  /** Answers with a declared error. Throws, so nothing behind it runs. */
  readonly fail: Fail<Errors>
  /** Aborts when the client cancels or is gone, or the deadline passes. */
  readonly signal: AbortSignal
  /** Bound to this call, connection and user. */
  readonly log: FastifyBaseLogger
  /** Stable across resends of a 'once' call; otherwise of this attempt alone. */
  readonly operationId: string
}

/** Throws a declared error with its data. */
export type Fail<Errors> = <K extends keyof Errors & string>(code: K, data: Errors[K]) => never

/** Answers a call. */
export type Handler<Input, Ack, Context> = (input: Input, context: Context) => Ack | Promise<Ack>

/** Answers a call that is a stream: yields its items, returns its ack. */
export type StreamHandler<Input, Item, Ack, Context> = (
  input: Input,
  context: Context,
) => AsyncGenerator<Item, Ack>

/** The handlers of a contract's calls. */
export type Calls<C extends ContractDefinition, U extends Identity, D> = {
  readonly [K in keyof CallsOf<C>]: [ItemOf<CallsOf<C>[K]>] extends [never]
    ? Handler<
        InputOf<CallsOf<C>[K]>,
        AckOf<CallsOf<C>[K]>,
        CallContext<ErrorsOf<CallsOf<C>[K]>, U, RoomTree<C, U, D>, C, D>
      >
    : StreamHandler<
        InputOf<CallsOf<C>[K]>,
        ItemOf<CallsOf<C>[K]>,
        AckOf<CallsOf<C>[K]>,
        CallContext<ErrorsOf<CallsOf<C>[K]>, U, RoomTree<C, U, D>, C, D>
      >
}

/** What a `join` is given beside the params. */
export interface JoinContext<C extends ContractDefinition, U extends Identity, D> {
  readonly user: U
  readonly connection: LiveConnection<C, U, D>
}

/** Who may join: `true` lets in; anything else, and a throw, refuses with FORBIDDEN. */
export type JoinHandler<Params, Context> = (params: Params, context: Context) => boolean | Promise<boolean>

/** The handlers of a contract's rooms. */
export type RoomHandlers<C extends ContractDefinition, U extends Identity, D> = {
  readonly [K in keyof RoomsOf<C>]: {
    readonly join: JoinHandler<ParamsOf<RoomsOf<C>[K]>, JoinContext<C, U, D>>
  }
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
   * one; a volatile one when it is handed on. Rejects with ACKORD_INVALID_PAYLOAD or a BrokerError.
   */
  publish<N extends keyof E & string>(
    event: N,
    payload: E[N],
    options?: PublishOptions<C, U, D>,
  ): Promise<Position | undefined>
  /**
   * The members on all nodes, and on this one first; of more than 10,000 that many. Rejects with a ClusterError, UNAVAILABLE, where a node
   * that lives has not answered in 5,000 ms, or Redis is away.
   */
  members(): Promise<readonly MemberInfo[]>
  /** The members on this node. */
  connections(): ReadonlyArray<LiveConnection<C, U, D>>
  /** Takes a connection in without asking `join`. A generated client shows the room's events once it has joined by itself. */
  join(connection: LiveConnection<C, U, D>): Promise<void>
  /**
   * Ends the memberships, and joins under way, of a connection or of all connections of a user (by id), on all nodes; how many. What was
   * published before still reaches them, unless `why` is `revoked`: then nothing leaves that was not yet written. On this node it is done when
   * it returns. Rejects with a ClusterError, UNAVAILABLE, where a node that lives has not said within 5,000 ms that it is done there.
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
   * Who is in the room on all nodes: each user once, of more than 10,000 that many. Rejects where nobody on this node is in it and Redis is
   * away; with somebody here it is then as it was.
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
   * node that dies meanwhile is `nodeLost`, for each of its connections that has not answered; while Redis is away this node's connections
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
  /** How many there are on all nodes, which tell each other every 2,000 ms; of this node as it is now. While Redis is away: as it was. */
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

/** Options of `namespace`. Settings given here come before those of `app.register(ackord, …)`. */
export interface NamespaceOptions<U extends Identity, D> extends Settings {
  /** Where it is served, behind the prefix of its scope: plain segments, such as `/chat`. */
  readonly path: string
  /**
   * Who a token belongs to; `'none'` lets everybody in under an id of their own. Absent: @fastify/jwt verifies, and `sub` is
   * the user; without @fastify/jwt the app does not start.
   */
  readonly authenticate?: Authenticate<U> | 'none'
  /** The `config` of its route, for plugins that look there: `{ rateLimit: { max: 20, timeWindow: '1 minute' } }` for @fastify/rate-limit. */
  readonly routeConfig?: FastifyContextConfig
  /** What a JWT must be and say, where @fastify/jwt verifies. */
  readonly jwt?: JwtOptions
  /**
   * Says who a connected user is now, or null where they may no longer be here. Asked for each connection every `reauthorizeEvery` ms,
   * by `revoke` with `mode: 'reauthorize'`, and of who brings a fresh token; then the rooms' `join` is asked again. Without it
   * there are rounds, of `join` alone, only where this namespace sets `reauthorizeEvery` itself.
   */
  readonly reauthorize?: Reauthorize<NoInfer<U>>
  /** Answers `POST {path}/ticket` with one-time tickets. Default true; with `authenticate: 'none'` there are none. */
  readonly tickets?: boolean
  /** Makes what is kept as `data` on each connection. */
  readonly data?: (user: U) => D
}

/** What feature plugins take besides handlers. Each merges its part into this, and takes it by `mount.part`. */
// biome-ignore lint/suspicious/noEmptyInterface: an interface, so that a plugin can add its part.
// biome-ignore lint/correctness/noUnusedVariables: the parts go by the contract.
export interface FeatureParts<C extends ContractDefinition> {}

/** What `plugin` takes: every handler of the contract, and what feature plugins take. */
export type Parts<C extends ContractDefinition, U extends Identity, D> = (keyof CallsOf<C> extends never
  ? { readonly calls?: Calls<C, U, D> }
  : { readonly calls: Calls<C, U, D> }) &
  (keyof RoomsOf<C> extends never
    ? { readonly rooms?: RoomHandlers<C, U, D> }
    : { readonly rooms: RoomHandlers<C, U, D> }) &
  FeatureParts<C>

/** One contract at one path: a handle that handlers are written against, in any file. */
export interface Namespace<C extends ContractDefinition, U extends Identity = Identity, D = undefined> {
  readonly contract: Contract<C>
  /** Types some of the handlers; gives back what it was given. */
  calls<H extends Partial<Calls<C, U, D>>>(handlers: H & OnlyCalls<C, H>): H
  /** Types some of the room handlers; gives back what it was given. */
  rooms<H extends Partial<RoomHandlers<C, U, D>>>(handlers: H): H
  /** The Fastify plugin that mounts it. A missing handler does not compile, and does not start. */
  plugin(parts: Parts<C, U, D>): FastifyPluginAsync
}

type OnlyCalls<C extends ContractDefinition, H> = {
  readonly [K in Exclude<keyof H, keyof CallsOf<C>>]: never
}

/** The decorator: `app.ackord(live)` is the mounted namespace. Throws ACKORD_NOT_MOUNTED. */
export interface AckordDecorator {
  // biome-ignore lint/style/useShorthandFunctionType: an interface, so that a plugin can add its methods.
  <C extends ContractDefinition, U extends Identity, D>(namespace: Namespace<C, U, D>): Live<C, U, D>
}

declare module 'fastify' {
  interface FastifyInstance {
    /** Reaches a mounted namespace, typed by its contract. */
    ackord: AckordDecorator
  }
}

export type { FastifyInstance }
