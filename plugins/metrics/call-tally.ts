/** The calls of one namespace, counted by name and code. */
import type { AnswerInfo, Mount } from '../gateway/index.js'
import { Histogram } from './histogram.js'
import type { CallStats } from './stats.js'

/** Codes of one call that are kept apart; what comes beyond is counted under `other`. A handler may throw any code. */
const MAX_CODES = 64

/** Counts by names of the contract only, so that no peer makes it grow: any other name is the empty one. */
export class CallTally {
  readonly #calls: ReadonlyMap<string, Map<string, Histogram>>

  constructor({ contract }: Mount) {
    const names = ['', ...Object.keys(contract.calls ?? {})]
    this.#calls = new Map(names.map((name) => [name, new Map()]))
  }

  add({ call, code, ms }: AnswerInfo): void {
    const codes = this.#calls.get(call.name)
    if (codes === undefined) return
    const known = codes.get(code)
    if (known !== undefined) known.add(ms)
    else keep(codes, codes.size < MAX_CODES ? code : 'other').add(ms)
  }

  /** How many ended with a code. */
  count(code: string): number {
    let sum = 0
    for (const codes of this.#calls.values()) sum += codes.get(code)?.count ?? 0
    return sum
  }

  /** A copy of what was counted: by name, then by code. */
  read(): Record<string, Record<string, CallStats>> {
    const seen = [...this.#calls].filter(([, codes]) => codes.size > 0)
    return Object.fromEntries(seen.map(([name, codes]) => [name || UNKNOWN, readCodes(codes)]))
  }
}

/** Under what calls are shown that the contract does not have. No call is named so: a name has no empty segment. */
const UNKNOWN = '.'

function keep(codes: Map<string, Histogram>, code: string): Histogram {
  const histogram = codes.get(code) ?? new Histogram()
  codes.set(code, histogram)
  return histogram
}

const readCodes = (codes: ReadonlyMap<string, Histogram>): Record<string, CallStats> =>
  Object.fromEntries(
    [...codes].map(([code, { count, sum, buckets }]) => [code, { count, ms: sum, latency: [...buckets] }]),
  )
