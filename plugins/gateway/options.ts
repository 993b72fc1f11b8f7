/** What may be set, its defaults and bounds. README.md § Options. */
import type { Clock } from '../../contract/clock.js'
import { serverClock } from '../../contract/server-clock.js'
import { HANDSHAKE_MS } from '../../contract/wire/index.js'
import { AckordError } from '../errors.js'
import type { RedisClient } from '../redis/index.js'
import { type Compression, type CompressionOptions, resolveCompression } from './compression.js'
import { APP_NAMES, checkNames } from './option-names.js'
import {
  bounded,
  checkDurability,
  checkRedis,
  type Durability,
  type Limit,
  MAX_BUFFERED,
} from './shared-options.js'

/** Settings that hold for all namespaces; each namespace may set its own instead. */
export interface Settings {
  /** Exact origins, such as `https://app.example.com`, that browsers may connect from. Default: the same origin. */
  readonly allowedOrigins?: readonly string[]
  /** Name of a cookie that carries the token; needs @fastify/cookie. Default: no cookie is looked at. */
  readonly cookie?: string
  /** Largest message a client may send, in bytes. Default 64 KiB; 1 KiB to 16 MiB. */
  readonly maxPayload?: number
  /** Bytes a connection may hold back before volatile events are dropped and anything else closes it (1013). Default 1 MiB; 128 KiB to 64 MiB. */
  readonly maxBuffered?: number
  /** Calls and joins of a connection that may be unanswered; beyond that its socket is paused. Default 64; 1 to 10,000. */
  readonly inFlight?: number
  /** Streams of a connection that may run; beyond that OVERLOADED. Default 32; 0 to 10,000. */
  readonly maxStreams?: number
  /** Milliseconds of silence after which BEAT is sent; twice that ends a connection. Default 25,000; 1,000 to 300,000. */
  readonly heartbeat?: number
  /** Milliseconds a handler may take before its caller gets TIMEOUT. Default 30,000; 1 to 3,600,000. */
  readonly callTimeout?: number
  /** Rooms one connection may be in. Default 1,000; 1 to 100,000. */
  readonly maxRooms?: number
  /**
   * Milliseconds before its token ends at which a client is asked for a fresh one, up to 1,000 earlier, or half of what is left where that is less; and
   * those it has for it at a re-authorization. Default 30,000; 1,000 to 3,600,000.
   */
  readonly tokenLead?: number
  /**
   * Milliseconds between two rounds in which `reauthorize` and the rooms' `join` are asked again. Default 60,000; 1,000 to
   * 86,400,000. Without `reauthorize` there are rounds only where the namespace sets this itself, and of `join` alone.
   */
  readonly reauthorizeEvery?: number
  /** Sessions one user may have in a namespace; one more closes 1013. A session that comes back does not count twice. Default 100; 1 to 100,000. */
  readonly maxConnectionsPerUser?: number
  /** Calls of a connection that limits may refuse within ten seconds; beyond that it is closed (4005). Default 1,000; 1 to 1,000,000. */
  readonly floodAfter?: number
  /** permessage-deflate for clients that offer it; `true` is all defaults. Default off: see docs/compression.md for what it costs. */
  readonly compression?: boolean | CompressionOptions
  /** With `redis`, when a publication counts as kept. Default 'memory'. docs/scaling.md says what each survives. */
  readonly durability?: Durability
}

/** Options of `app.register(ackord, …)`. */
export interface AckordOptions extends Settings {
  /** Milliseconds an upgrade may wait for its 101, and from there for a HELLO with a valid token. Default 5,000; 100 to 60,000. */
  readonly handshakeTimeout?: number
  /** Connections of this node; beyond that 503. Default 20,000; 1 to 1,000,000. */
  readonly maxConnections?: number
  /** Connections of one address, of IPv6 of one /64; beyond that 429. Default 1,000; 1 to 1,000,000. Needs Fastify's `trustProxy` behind a proxy. */
  readonly maxConnectionsPerAddress?: number
  /** Upgrades under way at once, before their 101; beyond that 503. Default 1,000; 1 to 100,000. */
  readonly maxUpgrades?: number
  /** Connections whose token is still to come or being checked, a quarter of them from one address; beyond that 503 and 429. Default 1,000; 1 to 100,000. */
  readonly maxUnauthenticated?: number
  /** Tokens being verified at once; ten times as many wait for half of `handshakeTimeout`, then 503. Default 100; 1 to 10,000. */
  readonly maxAuthentications?: number
  /**
   * Milliseconds by which the event loop may be late on average, or for which newcomers may stand in line; beyond that new upgrades get 503.
   * Newcomers take a thirtieth of it at a time. Default 300; 10 to 60,000.
   */
  readonly maxLag?: number
  /**
   * Milliseconds within which `app.close()` ends all connections: four fifths for calls in flight and for clients to move to another
   * node, the rest for closing handshakes.
   * Default 5,000; 0 to 300,000.
   */
  readonly grace?: number
  /** Milliseconds between two lines of the log with `app.ackord.stats()` and what changed; 0 for none. Default 0; 0 to 86,400,000. */
  readonly statsEvery?: number
  /**
   * An ioredis or iovalkey client: for one server, Sentinel or Cluster. Through it nodes are one: rooms, presence, limits. It is only
   * duplicated, and stays yours. Default: one process, everything in memory.
   */
  readonly redis?: RedisClient
  /** First part of all keys and channels in Redis. Apps with one prefix share what is at one path. Default 'ackord'; 1 to 64 of A–Z a–z 0–9 _ . - */
  readonly redisPrefix?: string
  /** For measuring what grouped writes gain: `false` writes each message by itself. Default true. */
  readonly groupedWrites?: boolean
  /** For tests: time. */
  readonly clock?: Clock
  /** For tests: randomness, 0 ≤ n < 1. Not for secrets. */
  readonly random?: () => number
  /** For tests: by how many milliseconds the event loop was late on average since this was last asked. */
  readonly eventLoopLag?: () => number
}

/** Settings with their defaults filled in. */
export interface ResolvedSettings
  extends Required<Omit<Settings, 'allowedOrigins' | 'cookie' | 'compression'>> {
  readonly allowedOrigins: ReadonlySet<string> | undefined
  readonly cookie: string | undefined
  readonly compression: Compression | undefined
}

/** What a setting is where nothing is said, and its bounds. */
export const SETTING_LIMITS = {
  maxPayload: [65_536, 1024, 16_777_216],
  maxBuffered: MAX_BUFFERED,
  inFlight: [64, 1, 10_000],
  maxStreams: [32, 0, 10_000],
  heartbeat: [25_000, 1000, 300_000],
  callTimeout: [30_000, 1, 3_600_000],
  maxRooms: [1000, 1, 100_000],
  tokenLead: [30_000, 1000, 3_600_000],
  reauthorizeEvery: [60_000, 1000, 86_400_000],
  maxConnectionsPerUser: [100, 1, 100_000],
  floodAfter: [1000, 1, 1_000_000],
} as const satisfies Record<string, Limit>

/** The same for what holds for all namespaces of an app. */
export const APP_LIMITS = {
  handshakeTimeout: [HANDSHAKE_MS, 100, 60_000],
  grace: [5000, 0, 300_000],
  maxConnections: [20_000, 1, 1_000_000],
  maxConnectionsPerAddress: [1000, 1, 1_000_000],
  maxUpgrades: [1000, 1, 100_000],
  maxUnauthenticated: [1000, 1, 100_000],
  maxAuthentications: [100, 1, 10_000],
  maxLag: [300, 10, 60_000],
  statsEvery: [0, 0, 86_400_000],
} as const satisfies Record<string, Limit>

type Bounded = keyof typeof SETTING_LIMITS

/** An option of the app, within its bounds. Throws ACKORD_INVALID_OPTION. */
export const appLimit = (name: keyof typeof APP_LIMITS, options: AckordOptions): number =>
  bounded(name, options[name], APP_LIMITS[name])

/** Fills in defaults; what a namespace sets comes before what the app sets. Throws ACKORD_INVALID_OPTION. */
export function resolveSettings(namespace: Settings, app: Settings): ResolvedSettings {
  const number = (name: Bounded): number => bounded(name, namespace[name] ?? app[name], SETTING_LIMITS[name])
  const origins = namespace.allowedOrigins ?? app.allowedOrigins
  if (origins !== undefined && !Array.isArray(origins))
    throw new AckordError('ACKORD_INVALID_OPTION', 'allowedOrigins: an array of origins')
  for (const origin of origins ?? []) checkOrigin(origin)
  return {
    allowedOrigins: origins && new Set(origins),
    cookie: namespace.cookie ?? app.cookie,
    maxPayload: number('maxPayload'),
    maxBuffered: number('maxBuffered'),
    inFlight: number('inFlight'),
    maxStreams: number('maxStreams'),
    heartbeat: number('heartbeat'),
    callTimeout: number('callTimeout'),
    maxRooms: number('maxRooms'),
    maxConnectionsPerUser: number('maxConnectionsPerUser'),
    floodAfter: number('floodAfter'),
    tokenLead: number('tokenLead'),
    reauthorizeEvery: number('reauthorizeEvery'),
    compression: resolveCompression(namespace.compression ?? app.compression),
    durability: checkDurability(namespace.durability ?? app.durability ?? 'memory'),
  }
}

// What Fastify itself takes in the options of any plugin.
const FASTIFY_NAMES = ['prefix', 'logLevel', 'logSerializers']

/** Checks names and settings of an app's options, also those that every namespace sets for itself. Throws ACKORD_INVALID_OPTION. */
export function checkAppOptions(options: AckordOptions): void {
  checkNames(options, [...APP_NAMES, ...FASTIFY_NAMES])
  checkRedis(options.redis, options.redisPrefix)
  resolveSettings({}, options)
}

// A browser sends exactly what URL#origin gives: anything else in the list would never match.
function checkOrigin(origin: string): void {
  if (URL.canParse(origin) && new URL(origin).origin === origin) return
  throw new AckordError(
    'ACKORD_INVALID_OPTION',
    `allowedOrigins: ${JSON.stringify(origin)} is no origin; write scheme, host and port only, such as "https://app.example.com"`,
  )
}

/** The clock of an app. */
export const clockOf = (options: AckordOptions): Clock => options.clock ?? serverClock

export { bounded, type Durability, type Limit } from './shared-options.js'
