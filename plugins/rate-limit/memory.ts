/** The buckets of one limit on this node. */
import type { Clock } from '../../contract/clock.js'
import type { Rate } from './buckets.js'

/** Buckets that one limit keeps for keys of their own, at most. */
const MAX_BUCKETS = 50_000
/** How many buckets those share for whom there is none of their own. */
const SHARED = 1024
/** How many fillings of a bucket ahead a refused call may be told to come back. */
const MOST_AHEAD = 10

interface Bucket {
  /** When it is full again. */
  full: number
  /** When the last of those that were refused was told to come back. */
  promised: number
}

/** A key, or the number of a bucket that newcomers share. */
type Place = string | number

/**
 * A bucket for each key that took something lately. One that is full is not kept: who took nothing for the time in which a bucket
 * fills is forgotten. At 50,000 keys newcomers share 1,024 buckets: nobody's bucket is given up, so that nobody empties another's,
 * or renews their own, by coming under many names.
 */
export class MemoryBuckets {
  readonly #rate: Rate
  readonly #clock: Clock
  readonly #most: number
  // What was not used since the last turn-over is in the older map, and goes with it.
  #recent = new Map<Place, Bucket>()
  #older = new Map<Place, Bucket>()
  #turnOver: number

  /** `most`: for tests. */
  constructor(rate: Rate, clock: Clock, most = MAX_BUCKETS) {
    this.#rate = rate
    this.#clock = clock
    this.#most = most
    this.#turnOver = this.#now() + rate.burst
  }

  /** How many buckets are kept. */
  get size(): number {
    return this.#recent.size + this.#older.size
  }

  /** Takes one call: 0, or in how many µs one can be taken. */
  take(key: string): number {
    const now = this.#now()
    const bucket = this.#bucket(key, now)
    const wait = this.#wait(bucket, now)
    if (wait === 0) bucket.full = Math.max(bucket.full, now) + this.#rate.every
    return wait
  }

  /** In how many µs one can be taken; 0 is now. */
  wait(key: string): number {
    const now = this.#now()
    const bucket = this.#find(this.#place(key, now))
    return bucket === undefined ? 0 : this.#wait(bucket, now)
  }

  /**
   * In how many µs one who is refused should come back, where one can be taken in `wait`. Each gets a time of their own: if all were told the
   * same, one would be let in then and the others refused again.
   */
  postpone(key: string, wait: number): number {
    const now = this.#now()
    const bucket = this.#bucket(key, now)
    const free = Math.max(now + wait, bucket.promised + this.#rate.every)
    bucket.promised = Math.min(free, Math.max(now + wait, now + MOST_AHEAD * this.#rate.burst))
    return bucket.promised - now
  }

  /** Gives one back. */
  giveBack(key: string): void {
    const bucket = this.#find(this.#place(key, this.#now()))
    if (bucket !== undefined) bucket.full -= this.#rate.every
  }

  /** Nothing can be taken for so many µs, at most those in which one call flows back. */
  block(key: string, wait: number): void {
    const now = this.#now()
    this.#bucket(key, now).full = now + wait + this.#rate.burst - this.#rate.every
  }

  #wait({ full }: Bucket, now: number): number {
    return Math.max(0, Math.max(full, now) + this.#rate.every - this.#rate.burst - now)
  }

  #now(): number {
    return Math.floor(this.#clock.now() * 1000)
  }

  #find(place: Place): Bucket | undefined {
    return this.#recent.get(place) ?? this.#older.get(place)
  }

  // To be changed, and so kept for as long as it takes to fill.
  #bucket(key: string, now: number): Bucket {
    const place = this.#place(key, now)
    const known = this.#recent.get(place)
    if (known !== undefined) return known
    const bucket = this.#older.get(place) ?? { full: 0, promised: 0 }
    this.#older.delete(place)
    this.#recent.set(place, bucket)
    return bucket
  }

  // Where a key's bucket is: its own, or one of those that newcomers share.
  #place(key: string, now: number): Place {
    if (now >= this.#turnOver) {
      this.#older = now >= this.#turnOver + this.#rate.burst ? new Map() : this.#recent
      this.#recent = new Map()
      this.#turnOver = now + this.#rate.burst
    }
    const hasRoom = this.size < this.#most || this.#recent.has(key) || this.#older.has(key)
    return hasRoom ? key : hash(key) % SHARED
  }
}

// Which bucket is shared with whom need not be hard to find out: an attacker has many keys anyway.
function hash(text: string): number {
  let sum = 0
  for (let i = 0; i < text.length; i++) sum = (Math.imul(sum, 31) + text.charCodeAt(i)) >>> 0
  return sum
}
