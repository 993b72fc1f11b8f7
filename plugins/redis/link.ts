/** Redis for what can do without it: nobody waits long for it, and each time somebody has to do without is logged once. */
// Taken at load, so that fake timers a user installs later do not stop it.
import { setImmediate } from 'node:timers'
import type { FastifyBaseLogger } from 'fastify'
import type { Clock } from '../../contract/clock.js'
import { Timeouts } from '../gateway/index.js'
import type { RedisValue } from './client.js'
import type { RedisHub } from './hub.js'
import type { Script } from './script.js'

/** Milliseconds a script may take. A late answer is dropped. */
const ANSWER_MS = 100
/** What a link needs of a hub. */
export type LinkedHub = Pick<RedisHub, 'canRun' | 'run'>

/** What it means that there is no answer, for the log, and that there are answers again. */
export interface LinkWords {
  readonly away: string
  readonly back: string
}

/** Milliseconds after a failure in which Redis is not asked; then by one command at a time, until one is answered. */
const PAUSE_MS = 1000

/** Runs scripts, or says that somebody has to do without. Waits at most 100 ms. */
export class RedisLink {
  readonly #hub: LinkedHub
  readonly #clock: Clock
  readonly #log: FastifyBaseLogger
  readonly #words: LinkWords
  readonly #waiting: Timeouts<() => void>
  #away = false
  #probing = false
  #askAgain = 0

  constructor(hub: LinkedHub, clock: Clock, log: FastifyBaseLogger, words: LinkWords) {
    this.#hub = hub
    this.#clock = clock
    this.#log = log
    this.#words = words
    this.#waiting = new Timeouts(clock, ANSWER_MS, (late) => late())
  }

  /** Whether `run` would ask Redis now. Notes an outage. */
  get usable(): boolean {
    if (!this.#hub.canRun) {
      this.#fail(new Error('Redis is not connected'))
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
    const reply = await this.#inTime(this.#hub.run(script, keys, values))
    if (isProbe) this.#probing = false
    if (reply !== undefined && this.#away) {
      this.#away = false
      this.#log.info(`ackord: ${this.#words.back}`)
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
    this.#log.warn({ err: error }, `ackord: ${this.#words.away}`)
  }
}
