/** Redis as something that may be away: nobody waits long for it, and its outages are logged once each. */
// Taken at load, so that fake timers a user installs later do not stop it.
import { setImmediate } from 'node:timers'
import type { FastifyBaseLogger } from 'fastify'
import type { Clock } from '../../contract/clock.js'
import { Timeouts } from '../gateway/index.js'
import type { RedisClient, RedisValue, Script } from './script.js'

/** Milliseconds a script may take. A late answer is dropped. */
const ANSWER_MS = 100
/** Milliseconds after a failure in which Redis is not asked; then by one command at a time, until one is answered. */
const PAUSE_MS = 1000

/** Runs scripts, or says that somebody has to do without. Waits at most 100 ms. */
export class RedisLink {
  readonly #client: RedisClient
  readonly #clock: Clock
  readonly #log: FastifyBaseLogger
  readonly #without: string
  readonly #waiting: Timeouts<() => void>
  #away = false
  #probing = false
  #askAgain = 0

  /** `without` says in the log what it means that Redis is away. */
  constructor(client: RedisClient, clock: Clock, log: FastifyBaseLogger, without: string) {
    this.#client = client
    this.#clock = clock
    this.#log = log
    this.#without = without
    this.#waiting = new Timeouts(clock, ANSWER_MS, (late) => late())
  }

  /** Whether `run` would ask Redis now. Notes an outage. */
  get usable(): boolean {
    if (this.#client.status !== 'ready') {
      this.#fail(new Error(`the client is ${this.#client.status}`))
      return false
    }
    return !this.#away || (!this.#probing && this.#clock.now() >= this.#askAgain)
  }

  /** Commands under way. */
  get waiting(): number {
    return this.#waiting.size
  }

  /** The reply of a script, or undefined where there is none in time. Never rejects. Ask `usable` first, in the same turn. */
  async run(script: Script, keys: readonly string[], values: readonly RedisValue[]): Promise<unknown> {
    const isProbe = this.#away
    if (isProbe) this.#probing = true
    const reply = await this.#inTime(script.run(this.#client, keys, values))
    if (isProbe) this.#probing = false
    if (reply !== undefined && this.#away) {
      this.#away = false
      this.#log.info('ackord: Redis is back')
    }
    return reply
  }

  #inTime(reply: Promise<unknown>): Promise<unknown> {
    return new Promise((resolve) => {
      let isOver = false
      // Where this process was late itself, the answer may be there and not yet read.
      const late = (): void => void setImmediate(giveUp)
      const giveUp = (): void => {
        if (isOver) return
        this.#fail(new Error(`no answer within ${ANSWER_MS} ms`))
        resolve(undefined)
      }
      this.#waiting.add(late)
      reply.then(
        (value) => {
          isOver = true
          this.#waiting.delete(late)
          resolve(value)
        },
        (error: unknown) => {
          isOver = true
          this.#waiting.delete(late)
          this.#fail(error)
          resolve(undefined)
        },
      )
    })
  }

  #fail(error: unknown): void {
    this.#askAgain = this.#clock.now() + PAUSE_MS
    if (this.#away) return
    this.#away = true
    this.#log.warn({ err: error }, `ackord: Redis is away; ${this.#without}`)
  }
}
