/** What the log says of outages: each once, and once more where only settings can end it. */
import { isKeptOut } from './errors.js'

/** The part of a logger that is used. */
export interface HubLog {
  info(message: string): void
  warn(details: object, message: string): void
  error(details: object, message: string): void
}

/** One outage after the other. */
export class Outage {
  readonly #log: HubLog
  // What was last said about a connection.
  #cause: unknown
  #isLogged = false
  #isRefusalLogged = false

  constructor(log: HubLog) {
    this.#log = log
  }

  /** A connection failed: why Redis is away, should it be. */
  failed(error: unknown): void {
    this.#cause = error
    this.refused(error)
  }

  /** A command was refused by a server that is there. */
  refused(error: unknown): void {
    if (!isKeptOut(error) || this.#isRefusalLogged) return
    this.#isRefusalLogged = true
    this.#log.error(
      { err: error },
      'ackord: Redis refuses this client: check the user and the password that the `redis` client was given',
    )
  }

  /** Redis is away. `reason`: where nothing better is known. */
  away(reason: unknown): void {
    if (this.#isLogged) return
    this.#isLogged = true
    this.#log.warn(
      { err: this.#cause ?? reason ?? new Error('a connection was lost') },
      'ackord: Redis is away; what needs it is UNAVAILABLE until it is back',
    )
  }

  /** It is there. */
  back(): void {
    this.#cause = undefined
    if (this.#isLogged) this.#log.info('ackord: Redis is back')
    this.#isLogged = false
    this.#isRefusalLogged = false
  }
}
