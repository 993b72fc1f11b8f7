/** Which option is given where: what is named wrongly, or at the wrong place, is refused and told so. */
import { AckordError } from '../errors.js'
import type { AckordOptions, Settings } from './options.js'

/** Of the app and of each namespace. */
export const SETTING_NAMES = [
  'allowedOrigins',
  'cookie',
  'maxPayload',
  'maxBuffered',
  'inFlight',
  'maxStreams',
  'heartbeat',
  'callTimeout',
  'maxRooms',
  'tokenLead',
  'reauthorizeEvery',
  'maxConnectionsPerUser',
  'floodAfter',
  'compression',
  'durability',
] as const satisfies ReadonlyArray<keyof Settings>

/** Of the app. */
export const APP_NAMES = [
  ...SETTING_NAMES,
  'handshakeTimeout',
  'maxConnections',
  'maxConnectionsPerAddress',
  'maxUpgrades',
  'maxUnauthenticated',
  'maxAuthentications',
  'maxLag',
  'statsEvery',
  'redis',
  'redisPrefix',
  'grace',
  'groupedWrites',
  'clock',
  'random',
  'eventLoopLag',
] as const satisfies ReadonlyArray<keyof AckordOptions>

/** Of a namespace. */
export const NAMESPACE_NAMES = [
  ...SETTING_NAMES,
  'path',
  'authenticate',
  'routeConfig',
  'jwt',
  'reauthorize',
  'tickets',
  'data',
] as const

/** Where else an option that nobody knows may belong, and how that is written. The parts are those that come with ackord. */
const PLACES: ReadonlyArray<readonly [names: readonly string[], written: (name: string) => string]> = [
  [['calls', 'rooms', 'limits'], (name) => `live.plugin({ ${name} })`],
  [NAMESPACE_NAMES, (name) => `namespace(contract, { ${name} })`],
  [APP_NAMES, (name) => `app.register(ackord, { ${name} })`],
]

/**
 * Throws ACKORD_INVALID_OPTION for an option that would be ignored: most often a name with a typing error. `what` is what it would be one
 * of.
 */
export function checkNames(options: object, known: readonly string[], what = 'option'): void {
  for (const name of Object.keys(options)) {
    if (known.includes(name)) continue
    const elsewhere = PLACES.find(([names]) => names.includes(name))?.[1](name)
    throw new AckordError(
      'ACKORD_INVALID_OPTION',
      elsewhere === undefined
        ? `${name}: no such ${what}; there are ${known.join(', ')}`
        : `${name}: belongs in ${elsewhere}`,
    )
  }
}
