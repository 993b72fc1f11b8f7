/** Lua scripts, sent by their digest. */
import { createHash } from 'node:crypto'

/** What goes with a command. */
export type RedisValue = string | number | Buffer

/** The part of a Redis client that ackord uses: ioredis and iovalkey have it, for one server, Sentinel and Cluster. */
export interface RedisClient {
  /** `ready` where commands are sent at once. */
  readonly status: string
  evalsha(digest: string, keyCount: number, ...keysAndArguments: RedisValue[]): Promise<unknown>
  eval(source: string, keyCount: number, ...keysAndArguments: RedisValue[]): Promise<unknown>
}

/** A Lua script. It is loaded where a server does not know it yet: after a restart or a fail-over, say. */
export class Script {
  readonly #source: string
  readonly #digest: string

  constructor(source: string) {
    this.#source = source
    this.#digest = createHash('sha1').update(source).digest('hex')
  }

  /** Runs it. Rejects with the error of the client or of the script. */
  async run(redis: RedisClient, keys: readonly string[], values: readonly RedisValue[]): Promise<unknown> {
    try {
      return await redis.evalsha(this.#digest, keys.length, ...keys, ...values)
    } catch (error) {
      if (!(error instanceof Error) || !error.message.startsWith('NOSCRIPT')) throw error
      return redis.eval(this.#source, keys.length, ...keys, ...values)
    }
  }
}
