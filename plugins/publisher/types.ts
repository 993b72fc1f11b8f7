/** The typed face of a publisher. */
import type { ContractDefinition } from '../../contract/contract.js'
import type {
  EventName,
  EventsOf,
  InboxName,
  ParamsOf,
  PassingName,
  PayloadOf,
  RoomEventsOf,
  RoomsOf,
  Tree,
} from '../../contract/infer.js'
import type { Durability } from '../gateway/core.js'
import type { HubLog, RedisClient } from '../redis/core.js'
import type { Position } from '../rooms/core.js'

/** Options of `createPublisher`; what the servers are told too has to be the same here. */
export interface PublisherOptions {
  /** Where the namespace is served, in full: the prefix of the scope it is registered in included, such as `/v1/chat`. */
  readonly path: string
  /** An ioredis or iovalkey client: for one server, Sentinel or Cluster. It is only duplicated, and stays yours. */
  readonly redis: RedisClient
  /** As in `app.register(ackord, …)`. Default 'ackord'. */
  readonly redisPrefix?: string
  /** As in `app.register(ackord, …)` or `namespace`. Default 'memory'. */
  readonly durability?: Durability
  /** Likewise, in bytes: a payload that no connection could hold is refused here too. Default 1 MiB; 128 KiB to 64 MiB. */
  readonly maxBuffered?: number
  /** Told when Redis goes away and when it is back; the logger of Fastify, pino and `console` will do. Default: nobody is. */
  readonly log?: HubLog
}

/** How to publish. */
export interface PublisherPublishOptions {
  /** The same id again in this room, or for this user, within two minutes is not published again. Recoverable events only. */
  readonly id?: string
}

/** One room, by its params. */
export interface PublisherRoom<E> {
  /** The same on every node. */
  readonly key: string
  /**
   * Publishes to all members. Resolves when a recoverable or latest event is kept, with the position of a recoverable one; a volatile one
   * when it is handed on, or lost because Redis is away. Rejects with ACKORD_INVALID_PAYLOAD or a BrokerError.
   */
  publish<N extends keyof E & string>(
    event: N,
    payload: E[N],
    options?: PublisherPublishOptions,
  ): Promise<Position | undefined>
}

/** One user. */
export interface PublisherUser<C extends ContractDefinition> {
  /**
   * A recoverable event goes into the user's inbox, and resolves when it is kept, with its position. Any other reaches who is connected now: it
   * resolves when it is handed on, or lost because Redis is away. Rejects with ACKORD_INVALID_PAYLOAD, ACKORD_INVALID_PARAMS where
   * the id has none or over 256 characters, a BrokerError, or a ClusterError where a payload of about 1 MiB fits no message between nodes.
   */
  send<N extends EventName<C>>(
    event: N,
    payload: PayloadOf<EventsOf<C>[N]>,
    options?: PublisherPublishOptions,
  ): Promise<N extends InboxName<C> ? Position : undefined>
}

/** Everybody. */
export interface PublisherEverybody<C extends ContractDefinition> {
  /** Tells who is connected now; an event that is not recoverable. Resolves and rejects as `PublisherUser.send`. */
  send<N extends PassingName<C>>(event: N, payload: PayloadOf<EventsOf<C>[N]>): Promise<void>
}

/** Publishes into a namespace from a process that serves no sockets. */
export interface Publisher<C extends ContractDefinition> {
  /** The rooms, by their params; dotted names nested. ACKORD_INVALID_PARAMS is thrown where they do not fit. */
  readonly room: Tree<{
    readonly [K in keyof RoomsOf<C>]: (
      params: ParamsOf<RoomsOf<C>[K]>,
    ) => PublisherRoom<RoomEventsOf<RoomsOf<C>[K]>>
  }>
  user(id: string): PublisherUser<C>
  readonly all: PublisherEverybody<C>
  /** Waits for what is under way, 2 s where Redis is away, and ends the connections: the process may end. What comes later is `CLOSED`. Safe to repeat. */
  close(): Promise<void>
}
