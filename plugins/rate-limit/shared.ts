/** The buckets of all limits, shared between nodes through Redis. */
import { type RedisLink, Script } from '../redis/index.js'
import type { Rate } from './buckets.js'
import { TAKE } from './take-script.js'

const script = new Script(TAKE)

/** Buckets in Redis, each a key of its own that goes when it is full. */
export class SharedBuckets {
  readonly #redis: RedisLink

  constructor(redis: RedisLink) {
    this.#redis = redis
  }

  /** Whether Redis would be asked now. */
  get usable(): boolean {
    return this.#redis.usable
  }

  /** Takes one call: 0, or in how many µs one can be taken; undefined where Redis does not say in time. Never rejects. */
  async take(rate: Rate, key: string): Promise<number | undefined> {
    const reply = await this.#redis.run(script, [place(rate, key)], [rate.every, rate.burst, 1])
    return typeof reply === 'number' ? reply : undefined
  }

  /** Gives one back, in time. */
  giveBack(rate: Rate, key: string): void {
    void this.#redis.run(script, [place(rate, key)], [rate.every, rate.burst, -1])
  }
}

const place = ({ id }: Rate, key: string): string => `ackord:limit:${id}:${key}`
