/** Random operations on the log of a room. */
import type { History, Outgoing, Position, ReadFrom, RoomLog } from '../../plugins/rooms/broker.js'
import type { Dice } from '../fuzz/dice.js'

/** One operation; `lose` deletes keys by the last part of their names, all of them where there are none. */
export type Operation =
  | { readonly do: 'publish'; readonly batch: readonly Outgoing[] }
  | { readonly do: 'read'; readonly from: ReadFrom }
  | { readonly do: 'after'; readonly since: Position }
  | { readonly do: 'since'; readonly version: number }
  | { readonly do: 'head' }
  | { readonly do: 'pass'; readonly ms: number }
  | { readonly do: 'lose'; readonly keys: readonly string[] }

/** What earlier operations gave, to be used again. */
export interface Past {
  readonly positions: Position[]
  readonly ids: string[]
  readonly versions: number[]
}

const SESSIONS = ['ann', 'bob', 'cyd'] as const
const EVENTS = ['posted', 'edited "x"', 'größer 🚀'] as const
const KEYS = [undefined, 'a', 'b', 'c:d', 'żółć', 'e\nf', '-'] as const

/** A room as one run has it: `large` and `heavy` keep more than one recovery replays, in number and in bytes; `plain` has no history. */
export type Profile = 'small' | 'large' | 'heavy' | 'plain'

/** Bounds for a profile. */
export function historyOf(dice: Dice, profile: Profile): RoomLog {
  const seconds = dice.pick([1, 30, 300])
  const histories: Readonly<Record<Profile, History | undefined>> = {
    small: { messages: 1 + dice.below(40), seconds, bytes: dice.pick([40, 60, 1000, 100_000]) },
    large: { messages: 2000 + dice.below(2000), seconds: 3000, bytes: 8_000_000 },
    heavy: { messages: 50, seconds: 3000, bytes: 6_000_000 },
    plain: undefined,
  }
  return { history: histories[profile] }
}

/** The operations of one run. */
export class Operations {
  readonly #dice: Dice
  readonly #log: RoomLog
  readonly #profile: Profile
  #made = 0

  constructor(dice: Dice, log: RoomLog, profile: Profile) {
    this.#dice = dice
    this.#log = log
    this.#profile = profile
  }

  next(past: Past): Operation {
    const dice = this.#dice
    const isLarge = this.#profile === 'large' || this.#profile === 'heavy'
    const roll = dice.below(isLarge ? 99 : 100)
    if (roll < 45) return { do: 'publish', batch: this.#batch(past) }
    if (roll < 78) return { do: 'read', from: this.#from(past) }
    if (roll < (isLarge ? 91 : 84) && this.#log.history) {
      return { do: 'after', since: this.#position(past) ?? { epoch: 'none', offset: 0, tag: 0 } }
    }
    if (roll < 88) return { do: 'since', version: past.versions.length > 0 ? dice.pick(past.versions) : 0 }
    if (roll < 91) return { do: 'head' }
    if (roll < 99)
      return { do: 'pass', ms: dice.pick([1, 999, 1000, 29_000, 70_000, 120_000, 130_000, 400_000]) }
    return { do: 'lose', keys: dice.pick([[], ['meta'], ['log', 'meta'], ['meta', 'ids0', 'order']]) }
  }

  #batch(past: Past): Outgoing[] {
    const dice = this.#dice
    const size = this.#profile === 'large' && dice.chance(0.7) ? 700 : 1 + dice.below(dice.pick([1, 4, 20]))
    return Array.from({ length: size }, () => this.#outgoing(past))
  }

  #outgoing(past: Past): Outgoing {
    const dice = this.#dice
    const delivery = dice.pick([
      'recoverable',
      'recoverable',
      'recoverable',
      'latest',
      'latest',
      'volatile',
    ] as const)
    return {
      event: dice.pick(EVENTS),
      delivery,
      payload: JSON.stringify(`${++this.#made}${this.#filling()}`),
      latestKey: delivery === 'latest' ? dice.pick(KEYS) : undefined,
      except: dice.chance(0.3) ? dice.pick(SESSIONS) : undefined,
      id: this.#id(past),
    }
  }

  #filling(): string {
    const dice = this.#dice
    if (dice.chance(0.7)) return ''
    if (dice.chance(0.5)) return 'é🚀'.repeat(dice.below(20))
    const bytes = this.#log.history?.bytes ?? 600_000
    const most = { small: bytes + 20, plain: bytes, large: 6000, heavy: dice.pick([50_000, 400_000]) }
    return 'x'.repeat(dice.below(most[this.#profile]))
  }

  #id(past: Past): string | undefined {
    const dice = this.#dice
    if (dice.chance(0.5)) return undefined
    if (dice.chance(0.5) && past.ids.length > 0) return dice.pick(past.ids)
    const id = dice.chance(0.02) ? '' : `id ${this.#made} ż`
    past.ids.push(id)
    return id
  }

  #from(past: Past): ReadFrom {
    const dice = this.#dice
    return {
      since: dice.chance(0.75) ? this.#position(past) : undefined,
      last: dice.chance(0.5) ? dice.pick([0, 1, 7, 100, 5000]) : undefined,
      session: dice.pick([...SESSIONS, 'dan']),
    }
  }

  // Mostly one that was given out lately; the rest is what a client could make up.
  #position({ positions }: Past): Position | undefined {
    const dice = this.#dice
    if (positions.length === 0) return undefined
    const isRecent = dice.chance(this.#profile === 'large' ? 0.3 : 0.7)
    const known = dice.pick(isRecent ? positions.slice(-60) : positions)
    if (dice.chance(0.7)) return known
    return dice.pick([
      { ...known, tag: known.tag + 1 },
      { ...known, tag: Number.NaN },
      { ...known, tag: -0 },
      { ...known, epoch: 'another' },
      { ...known, epoch: '' },
      { ...known, offset: 0, tag: 0 },
      { ...known, offset: known.offset + 1 },
      { ...known, offset: known.offset + 1_000_000 },
      { ...known, offset: -1 },
      { ...known, offset: known.offset + 0.5 },
      { ...known, offset: Number.POSITIVE_INFINITY },
      { ...known, offset: 2 ** 53 },
    ])
  }
}
