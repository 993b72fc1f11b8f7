/** Asks the limits of one namespace before a call. */
import { CLOSE } from '../../contract/wire/index.js'
import { refuseCall } from '../calls/index.js'
import type { CallInfo, Connection } from '../gateway/index.js'
import { keyOf, type Rule } from './limits.js'
import type { SharedBuckets } from './shared.js'

/** Milliseconds over which a connection's refused calls are counted. */
const FLOOD_MS = 10_000

declare module '../gateway/connection.js' {
  interface ConnectionSlots {
    /** Calls that limits refused since `since`. */
    refusals?: { count: number; since: number }
  }
}

/** Lets calls in, or refuses them with RATE_LIMITED; closes who goes on regardless. */
export class Limiter {
  readonly #rules: ReadonlyMap<string, readonly Rule[]>
  readonly #shared: SharedBuckets | undefined

  constructor(rules: ReadonlyMap<string, readonly Rule[]>, shared: SharedBuckets | undefined) {
    this.#rules = rules
    this.#shared = shared
  }

  /** For `onCall`. Without Redis everything happens in the same turn, so that calls start in the order they came. */
  check(call: CallInfo, next: () => Promise<unknown>): Promise<unknown> {
    const rules = this.#rules.get(call.name)
    if (rules === undefined) return next()
    if (this.#shared?.usable) return this.#checkShared(this.#shared, rules, call, next)
    this.#takeHere(rules, call.connection)
    return next()
  }

  #takeHere(rules: readonly Rule[], connection: Connection): void {
    const waits = rules.map((rule) => rule.buckets.take(keyOf(rule, connection)))
    if (waits.every((wait) => wait === 0)) return
    rules.forEach((rule, i) => {
      if (waits[i] === 0) rule.buckets.giveBack(keyOf(rule, connection))
    })
    refuse(connection, rules, waits)
  }

  async #checkShared(
    shared: SharedBuckets,
    rules: readonly Rule[],
    call: CallInfo,
    next: () => Promise<unknown>,
  ): Promise<unknown> {
    const { connection } = call
    // What Redis refused is refused here until then: a flood is no load for it.
    const known = rules.map((rule) => rule.buckets.wait(keyOf(rule, connection)))
    if (known.some((wait) => wait > 0)) refuse(connection, rules, known)
    const waits = await Promise.all(rules.map((rule) => shared.take(rule, keyOf(rule, connection))))
    if (waits.every((wait) => wait === 0)) return next()
    rules.forEach((rule, i) => {
      const wait = waits[i]
      if (wait === undefined) return
      const key = keyOf(rule, connection)
      if (wait > 0) rule.buckets.block(key, wait)
      else shared.giveBack(rule, key)
    })
    if (waits.every((wait) => wait !== undefined)) return refuse(connection, rules, waits)
    // Redis did not answer for all of them.
    this.#takeHere(rules, connection)
    return next()
  }
}

// Throws, after it has closed a connection that was refused too often. `waits`: by rule, in µs; 0 where it let the call in.
function refuse(connection: Connection, rules: readonly Rule[], waits: readonly number[]): never {
  const times = rules.map((rule, i) => {
    const wait = waits[i] ?? 0
    return wait === 0 ? 0 : rule.buckets.postpone(keyOf(rule, connection), wait)
  })
  countRefusal(connection)
  throw refuseCall('RATE_LIMITED', Math.max(...times) / 1000)
}

function countRefusal(connection: Connection): void {
  const { slots, mount } = connection
  const now = mount.clock.now()
  if (slots.refusals === undefined || now - slots.refusals.since >= FLOOD_MS)
    slots.refusals = { count: 0, since: now }
  slots.refusals.count++
  if (slots.refusals.count > mount.settings.floodAfter) connection.close(CLOSE.FLOODED)
}
