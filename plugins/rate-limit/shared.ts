/** The buckets of all limits, shared between nodes through Redis. */
import { type RedisLink, script } from '../redis/index.js'
import type { Rate } from './buckets.js'

const TAKE = script('take')

/** Buckets in Redis, each a key of its own that goes when it is full. */
export class SharedBuckets {
  readonly #redis: RedisLink
  readonly #prefix: string

  /** `prefix`: the first part of its keys. */
  constructor(redis: RedisLink, prefix: string) {
    this.#redis = redis
    this.#prefix = prefix
  }

  /** Whether Redis would be asked now. */
  get usable(): boolean {
    return this.#redis.usable
  }

  /** Takes one call: 0, or in how many µs one can be taken; undefined where Redis does not say in time. Never rejects. */
  async take(rate: Rate, key: string): Promise<number | undefined> {
    const reply = await this.#redis.run(TAKE, [this.#place(rate, key)], [rate.every, rate.burst, 1])
    return typeof reply === 'number' ? reply : undefined
  }

  /** Gives one back, in time. */
  giveBack(rate: Rate, key: string): void {
    void this.#redis.run(TAKE, [this.#place(rate, key)], [rate.every, rate.burst, -1])
  }

  #place({ id }: Rate, key: string): string {
    return `${this.#prefix}:limit:${id}:${key}`
  }
}
