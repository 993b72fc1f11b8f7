/** What may be set, its defaults and bounds. README.md § Options. */
import { type Clock, serverClock } from '../../contract/clock.js'
import { AckordError } from '../errors.js'

/** Settings that hold for all namespaces; each namespace may set its own instead. */
export interface Settings {
  /** Exact origins, such as `https://app.example.com`, that browsers may connect from. Default: the same origin. */
  readonly allowedOrigins?: readonly string[]
  /** Name of a cookie that carries the token; needs @fastify/cookie. Default: no cookie is looked at. */
  readonly cookie?: string
  /** Largest message a client may send, in bytes. Default 64 KiB; 1 KiB to 16 MiB. */
  readonly maxPayload?: number
  /** Bytes a connection may hold back before volatile events are dropped and anything else closes it (1013). Default 1 MiB; 64 KiB to 64 MiB. */
  readonly maxBuffered?: number
  /** Calls and joins of a connection that may be unanswered; beyond that its socket is paused. Default 64; 1 to 10,000. */
  readonly inFlight?: number
  /** Milliseconds of silence after which BEAT is sent; twice that ends a connection. Default 25,000; 1,000 to 300,000. */
  readonly heartbeat?: number
  /** Milliseconds a handler may take before its caller gets TIMEOUT. Default 30,000; 1 to 3,600,000. */
  readonly callTimeout?: number
  /** Rooms one connection may be in. Default 1,000; 1 to 100,000. */
  readonly maxRooms?: number
}

/** Options of `app.register(ackord, …)`. */
export interface AckordOptions extends Settings {
  /** Milliseconds an upgrade may wait for its 101, and from there for a HELLO with a valid token. Default 5,000; 100 to 60,000. */
  readonly handshakeTimeout?: number
  /**
   * Milliseconds within which `app.close()` ends all connections: four fifths for calls in flight, the rest for closing handshakes.
   * Default 5,000; 0 to 300,000.
   */
  readonly grace?: number
  /** For measuring what grouped writes gain: `false` writes each message by itself. Default true. */
  readonly groupedWrites?: boolean
  /** For tests: time. */
  readonly clock?: Clock
}

/** Settings with their defaults filled in. */
export interface ResolvedSettings extends Required<Omit<Settings, 'allowedOrigins' | 'cookie'>> {
  readonly allowedOrigins: ReadonlySet<string> | undefined
  readonly cookie: string | undefined
}

const BOUNDS = {
  maxPayload: [65_536, 1024, 16_777_216],
  maxBuffered: [1_048_576, 65_536, 67_108_864],
  inFlight: [64, 1, 10_000],
  heartbeat: [25_000, 1000, 300_000],
  callTimeout: [30_000, 1, 3_600_000],
  maxRooms: [1000, 1, 100_000],
} as const satisfies Record<string, readonly [fallback: number, least: number, most: number]>

type Bounded = keyof typeof BOUNDS

/** An integer option within its bounds. Throws ACKORD_INVALID_OPTION. */
export function bounded(
  name: string,
  value: number | undefined,
  row: readonly [number, number, number],
): number {
  const [fallback, least, most] = row
  if (value === undefined) return fallback
  if (Number.isSafeInteger(value) && value >= least && value <= most) return value
  throw new AckordError(
    'ACKORD_INVALID_OPTION',
    `${name}: an integer from ${least} to ${most}, not ${String(value)}`,
  )
}

/** Fills in defaults; what a namespace sets comes before what the app sets. Throws ACKORD_INVALID_OPTION. */
export function resolveSettings(namespace: Settings, app: Settings): ResolvedSettings {
  const number = (name: Bounded): number => bounded(name, namespace[name] ?? app[name], BOUNDS[name])
  const origins = namespace.allowedOrigins ?? app.allowedOrigins
  for (const origin of origins ?? []) checkOrigin(origin)
  return {
    allowedOrigins: origins && new Set(origins),
    cookie: namespace.cookie ?? app.cookie,
    maxPayload: number('maxPayload'),
    maxBuffered: number('maxBuffered'),
    inFlight: number('inFlight'),
    heartbeat: number('heartbeat'),
    callTimeout: number('callTimeout'),
    maxRooms: number('maxRooms'),
  }
}

/** The names of all settings. */
export const SETTING_NAMES = [
  'allowedOrigins',
  'cookie',
  'maxPayload',
  'maxBuffered',
  'inFlight',
  'heartbeat',
  'callTimeout',
  'maxRooms',
] as const satisfies ReadonlyArray<keyof Settings>

const APP_NAMES = [
  ...SETTING_NAMES,
  'handshakeTimeout',
  'grace',
  'groupedWrites',
  'clock',
] as const satisfies ReadonlyArray<keyof AckordOptions>

// What Fastify itself takes in the options of any plugin.
const FASTIFY_NAMES = ['prefix', 'logLevel', 'logSerializers']

/** Throws ACKORD_INVALID_OPTION for an option that would be ignored: most often a name with a typing error. */
export function checkNames(options: object, known: readonly string[]): void {
  for (const name of Object.keys(options)) {
    if (!known.includes(name)) {
      throw new AckordError('ACKORD_INVALID_OPTION', `${name}: no such option; there are ${known.join(', ')}`)
    }
  }
}

/** Checks names and settings of an app's options, also those that every namespace sets for itself. Throws ACKORD_INVALID_OPTION. */
export function checkAppOptions(options: AckordOptions): void {
  checkNames(options, [...APP_NAMES, ...FASTIFY_NAMES])
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
