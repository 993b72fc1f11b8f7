/** The options of a client with their defaults. */
import { type Clock, systemClock } from '../contract/clock.js'
import { type Codec, jsonCodec } from '../contract/wire/codec.js'
import { host, systemRandom } from './host.js'
import type { Report } from './listeners.js'
import type { Rules } from './state.js'
import type { ClientOptions, FetchLike } from './types.js'

/** What every part of a client is handed. Times in ms. */
export interface Settings {
  readonly options: ClientOptions
  /** How frames are written. */
  readonly codec: Codec
  /** What a refused upgrade is asked about with. */
  readonly fetch: FetchLike | undefined
  readonly rules: Rules
  readonly timeout: number
  /** At most this many calls that have not settled. */
  readonly entries: number
  readonly ttl: number
  readonly clock: Clock
  readonly random: () => number
  readonly report: Report
}

/** Fills in the defaults that `ClientOptions` documents. */
export function createSettings(options: ClientOptions): Settings {
  const { codec = jsonCodec } = options
  const { connectTimeout = 10_000, timeout = 30_000, clock = systemClock, random = systemRandom } = options
  const { base = 500, max = 30_000 } = options.backoff ?? {}
  const { entries = 1000, ttl = 86_400_000 } = options.outbox ?? {}
  const tell = options.onError ?? host.reportError ?? host.console.error
  // Told after the turn, so that it can close the client without finding it half-way through a change.
  const report: Report = (error) => queueMicrotask(() => tell(error))
  const rules = { base, max, connectTimeout }
  // A socket of one's own leads who knows where: the global fetch may not lead there.
  const fetch = options.fetch ?? (options.WebSocket ? undefined : host.fetch)
  return { options, codec, fetch, rules, timeout, entries, ttl, clock, random, report }
}
