/** What ackord needs of a Redis client, by structure: ioredis 5.7 or later and iovalkey have it. docs/decisions/redis-connections.md. */

/** What goes with a command. */
export type RedisValue = string | number | Buffer

/** A client for one server, found by its address or by Sentinel. */
export interface RedisServerClient {
  /** A second client with the same options but for these. */
  duplicate(override: ServerOptions): RedisConnection
}

/** A client for a Cluster. */
export interface RedisClusterClient {
  /** The masters it knows. */
  nodes(role: 'master'): readonly unknown[]
  /** A second client with the same nodes and options but for these. */
  duplicate(nodes: [], override: ClusterOptions): RedisClusterConnection
}

/** The `redis` option: a client of ioredis or iovalkey, connected or not. It is only duplicated. */
export type RedisClient = RedisServerClient | RedisClusterClient

/** A connection of ackord's own, made by `duplicate`. */
export interface RedisConnection {
  /** `ready` where commands are sent at once. */
  readonly status: string
  /** What it was made with. */
  readonly options?: unknown
  connect(): Promise<unknown>
  /** Ends the connection; with `true` it comes back. */
  disconnect(reconnect?: boolean): void
  /** Sends a command; texts of the reply as strings. */
  call(command: string, args: RedisValue[]): Promise<unknown>
  /** Sends a command; texts of the reply as Buffers. */
  callBuffer(command: string, args: RedisValue[]): Promise<unknown>
  on(event: 'messageBuffer' | 'smessageBuffer', listener: (channel: Buffer, message: Buffer) => void): unknown
  on(event: 'error', listener: (error: Error) => void): unknown
  /** `moved`: it was told that a slot is elsewhere. */
  on(event: 'ready' | 'end' | 'moved', listener: () => void): unknown
}

/** The same to a Cluster. */
export interface RedisClusterConnection extends RedisConnection {
  nodes(role: 'master'): readonly RedisMaster[]
  /** By slot, `host:port` of its master and then of its replicas. */
  readonly slots: ReadonlyArray<readonly string[]>
  /** Asks the Cluster anew who has which slot. */
  refreshSlotsCache(callback?: (error?: Error | null) => void): void
}

/** One master of a Cluster. */
export interface RedisMaster extends RedisServerClient {
  readonly options: { readonly host?: string | undefined; readonly port?: number | undefined }
  disconnect(): void
}

/** What holds for each connection of ours, whatever the user's client is set to. */
export interface ConnectionOptions {
  protocol: 2
  keyPrefix: ''
  stringNumbers: false
  readOnly: false
  enableOfflineQueue: false
  enableAutoPipelining: false
  autoResendUnfulfilledCommands: false
  autoResubscribe: false
  maxRetriesPerRequest: 0
  reconnectOnError: null
  commandTimeout: number
  connectTimeout: number
  disconnectTimeout: number
}

/** The same, and how one connection comes back. */
export interface ServerOptions extends ConnectionOptions {
  lazyConnect: true
  retryStrategy: (attempt: number) => number | null
  failoverDetector: true
  sentinelRetryStrategy: (attempt: number) => number | null
}

/** The same for a Cluster. */
export interface ClusterOptions {
  keyPrefix: ''
  lazyConnect: true
  enableOfflineQueue: false
  enableAutoPipelining: false
  scaleReads: 'master'
  retryDelayOnFailover: number
  retryDelayOnClusterDown: number
  shardedSubscribers: false
  clusterRetryStrategy: (attempt: number) => number
  redisOptions: ConnectionOptions
}
