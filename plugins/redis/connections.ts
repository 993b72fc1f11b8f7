/** Opens connections of our own beside the user's client. docs/decisions/redis-connections.md says why each option is what it is. */
import type {
  ConnectionOptions,
  RedisClusterClient,
  RedisClusterConnection,
  RedisConnection,
  RedisServerClient,
} from './client.js'

/** Milliseconds a command may take. */
export const COMMAND_MS = 2000
/** Milliseconds a connection may take to be made. */
const CONNECT_MS = 5000
/** Milliseconds for the closing of a connection: one that is half open never ends by itself. */
const DISCONNECT_MS = 100
/** Milliseconds before the first and the last kind of attempt to connect again. */
const FIRST_RETRY_MS = 50
const LAST_RETRY_MS = 2000

const EACH: ConnectionOptions = {
  protocol: 2,
  keyPrefix: '',
  stringNumbers: false,
  readOnly: false,
  enableOfflineQueue: false,
  enableAutoPipelining: false,
  autoResendUnfulfilledCommands: false,
  autoResubscribe: false,
  maxRetriesPerRequest: 0,
  reconnectOnError: null,
  // Longer than ours, which says more: this one is only for the client to forget it.
  commandTimeout: 2 * COMMAND_MS,
  connectTimeout: CONNECT_MS,
  disconnectTimeout: DISCONNECT_MS,
}

/** Milliseconds before an attempt, the first being 1: doubled each time up to 2 s, of which half is chance. */
export const retryDelay = (attempt: number, random: () => number): number =>
  Math.min(FIRST_RETRY_MS * 2 ** Math.min(attempt - 1, 10), LAST_RETRY_MS) * (0.5 + random() / 2)

/** For commands to one server; comes back by itself, also by asking Sentinel again. Not yet connected. */
export const openServer = (client: RedisServerClient, random: () => number): RedisConnection =>
  client.duplicate({
    ...EACH,
    lazyConnect: true,
    retryStrategy: (attempt) => retryDelay(attempt, random),
    failoverDetector: true,
    sentinelRetryStrategy: (attempt) => retryDelay(attempt, random),
  })

/** For commands to a Cluster; comes back by itself. Not yet connected. */
export const openCluster = (client: RedisClusterClient, random: () => number): RedisClusterConnection =>
  client.duplicate([], {
    keyPrefix: '',
    lazyConnect: true,
    enableOfflineQueue: false,
    enableAutoPipelining: false,
    scaleReads: 'master',
    retryDelayOnFailover: 0,
    retryDelayOnClusterDown: 0,
    shardedSubscribers: false,
    clusterRetryStrategy: (attempt) => retryDelay(attempt, random),
    redisOptions: EACH,
  })

/** For channels of one server; lives once. Not yet connected. */
export const openSubscriber = (client: RedisServerClient): RedisConnection =>
  client.duplicate({
    ...EACH,
    lazyConnect: true,
    retryStrategy: () => null,
    failoverDetector: true,
    sentinelRetryStrategy: () => null,
  })
