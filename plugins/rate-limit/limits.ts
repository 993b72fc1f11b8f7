/** The limits of a namespace as `live.plugin({ limits })` takes them, checked and compiled once. */
import type { Clock } from '../../contract/clock.js'
import type { ContractDefinition } from '../../contract/contract.js'
import type { CallName } from '../../contract/infer.js'
import { AckordError } from '../errors.js'
import { type Connection, checkNames, type Mount } from '../gateway/index.js'
import type { Rate } from './buckets.js'
import { MemoryBuckets } from './memory.js'

/** Whose calls are counted together. */
export type LimitPer = 'user' | 'connection' | 'address'

/**
 * So many calls at once, and then so many in each `seconds`, evenly: `{ max: 20, seconds: 10 }` lets in 20, and from then on one each
 * half second.
 */
export interface Limit {
  /** 1 to 1,000,000, and no more than 10,000 a second. */
  readonly max: number
  /** 1 to 86,400. */
  readonly seconds: number
  /** Default: all connections of a user, of whom `authenticate: 'none'` makes a new one for each. An address is an IPv4 address, or the first 64 bits of an IPv6 address. */
  readonly per?: LimitPer
}

/** Limits by call; those of `'*'` count all calls together, also of what the contract does not have. Where there are several, all have to let a call in. */
export type Limits<C extends ContractDefinition> = {
  readonly [K in CallName<C> | '*']?: Limit | readonly Limit[]
}

/** One limit, ready to be asked. */
export interface Rule extends Rate {
  readonly per: LimitPer
  /** Its buckets on this node. */
  readonly buckets: MemoryBuckets
}

const NAMES: ReadonlyArray<keyof Limit> = ['max', 'seconds', 'per']
const LEAST_EVERY_US = 100

/** The limits that hold for each call; empty where none does. Throws ACKORD_UNKNOWN_NAME, ACKORD_INVALID_OPTION. */
export function compileLimits(mount: Mount): ReadonlyMap<string, readonly Rule[]> {
  const given = mount.part('limits')
  if (given === undefined) return new Map()
  if (typeof given !== 'object' || given === null) throw invalid('limits', 'an object')
  const names = Object.keys(mount.contract.calls ?? {})
  const rules = new Map<string, readonly Rule[]>()
  for (const [name, limits] of Object.entries(given)) {
    if (name !== '*' && !names.includes(name)) {
      const known = [...names, '*'].join(', ')
      throw new AckordError(
        'ACKORD_UNKNOWN_NAME',
        `limits[${JSON.stringify(name)}] of ${mount.path}; there are ${known}`,
      )
    }
    if (limits === undefined) continue
    const list: readonly unknown[] = Array.isArray(limits) ? limits : [limits]
    if (list.length === 0) throw invalid(`${mount.path}:${name}`, 'an empty list limits nothing')
    rules.set(
      name,
      list.map((limit) => compileRule(mount.clock, `${mount.path}:${name}`, limit)),
    )
  }
  const general = rules.get('*') ?? []
  // What the contract does not have is a call with an empty name.
  const all = ['', ...names].map(
    (name) => [name, name === '*' ? general : [...(rules.get(name) ?? []), ...general]] as const,
  )
  return new Map(all.filter(([, some]) => some.length > 0))
}

function compileRule(clock: Clock, place: string, limit: unknown): Rule {
  if (typeof limit !== 'object' || limit === null) throw invalid(place, 'an object with max and seconds')
  checkNames(limit, NAMES)
  const { max, seconds, per = 'user' } = limit as Partial<Limit>
  if (!isWhole(max, 1_000_000)) throw invalid(place, 'max has to be an integer from 1 to 1,000,000')
  if (!isWhole(seconds, 86_400)) throw invalid(place, 'seconds has to be an integer from 1 to 86,400')
  if (!['user', 'connection', 'address'].includes(per))
    throw invalid(place, "per is 'user', 'connection' or 'address'")
  const every = Math.floor((seconds * 1_000_000) / max)
  if (every < LEAST_EVERY_US) throw invalid(place, 'more than 10,000 a second are no limit')
  // With its numbers: while nodes with other numbers are about, each counts by its own.
  const rate = { id: `${place}:${per}:${max}/${seconds}`, every, burst: every * max }
  return { ...rate, per, buckets: new MemoryBuckets(rate, clock) }
}

const isWhole = (value: unknown, most: number): value is number =>
  Number.isSafeInteger(value) && Number(value) >= 1 && Number(value) <= most

const invalid = (place: string, detail: string): AckordError =>
  new AckordError('ACKORD_INVALID_OPTION', `limits of ${place}: ${detail}`)

declare module '../namespace/types.js' {
  interface FeatureParts<C extends ContractDefinition> {
    /** How often calls may be made: by call, or `'*'` for all together. Refused are RATE_LIMITED. */
    readonly limits?: Limits<C>
  }
}

declare module '../gateway/connection.js' {
  interface ConnectionSlots {
    /** Under what its address is counted; only where a limit is by address. */
    address?: string
  }
}

/** Under what a connection's calls are counted. */
export function keyOf({ per }: Rule, { user, id, slots }: Connection): string {
  if (per === 'user') return user.id
  return per === 'connection' ? id : (slots.address ?? '')
}
