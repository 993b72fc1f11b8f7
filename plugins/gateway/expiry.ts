/** Asks for fresh tokens ahead of time, and ends connections whose token ran out. PROTOCOL.md § Tokens. */
import type { Clock, Timer } from '../../contract/clock.js'
import { CLOSE, FRAMES } from '../../contract/wire/index.js'
import type { Connection } from './connection.js'

/**
 * Milliseconds between two looks at the least: so much late an end may be noticed where nothing is received, and so much early a client may
 * be asked.
 */
const LEAST_WAIT = 1000
/** What a Clock takes. */
const LONGEST_WAIT = 2_147_483_647

/** One timer for the earliest end, or request for a token, among all connections; none where no token has an end. */
export class Expiry {
  readonly #clock: Clock
  readonly #connections: () => Iterable<Connection>
  #due = Number.POSITIVE_INFINITY
  #timer: Timer | undefined

  /** `connections`: all that may be watched; looked through each time something has come due. */
  constructor(clock: Clock, connections: () => Iterable<Connection>) {
    this.#clock = clock
    this.#connections = connections
  }

  /**
   * An open connection came in, or goes on with another end: its client, where it has the feature `token`, is asked for a fresh one
   * `tokenLead` ahead, or when half of what is left is over where that is later. At the end it is closed with 4002.
   */
  watch(connection: Connection): void {
    const left = connection.expiresAt - this.#clock.now()
    const lead = Math.min(connection.mount.settings.tokenLead, left / 2)
    this.ask(connection, left - lead)
  }

  /** Asks an open connection for a fresh token in so many milliseconds, where it still has one to refresh then. */
  ask(connection: Connection, ms: number): void {
    connection.renewAt = connection.features.includes('token')
      ? this.#clock.now() + ms
      : Number.POSITIVE_INFINITY
    const due = dueOf(connection)
    if (due < this.#due) this.#arm(due, 0)
  }

  stop(): void {
    if (this.#timer !== undefined) this.#clock.clearTimeout(this.#timer)
    this.#timer = undefined
    this.#due = Number.POSITIVE_INFINITY
  }

  #arm(due: number, least: number): void {
    this.stop()
    const wait = Math.min(Math.max(due - this.#clock.now(), least), LONGEST_WAIT)
    this.#due = this.#clock.now() + wait
    this.#timer = this.#clock.setTimeout(this.#run, wait)
  }

  readonly #run = (): void => {
    this.stop()
    const now = this.#clock.now()
    let next = Number.POSITIVE_INFINITY
    for (const connection of this.#connections()) {
      if (connection.phase !== 'open') continue
      if (connection.expiresAt <= now) {
        connection.close(CLOSE.TOKEN_EXPIRED)
        continue
      }
      // Early rather than late: with a short lead, the next look may be too late to answer.
      if (connection.renewAt < now + LEAST_WAIT) want(connection, now)
      next = Math.min(next, dueOf(connection))
    }
    if (next < Number.POSITIVE_INFINITY) this.#arm(next, LEAST_WAIT)
  }
}

const dueOf = ({ expiresAt, renewAt }: Connection): number => Math.min(expiresAt, renewAt)

// A token without an end has no `within`: nothing happens where no answer comes.
function want(connection: Connection, now: number): void {
  connection.renewAt = Number.POSITIVE_INFINITY
  const left = connection.expiresAt - now
  const within = left < Number.MAX_SAFE_INTEGER ? Math.floor(left) : undefined
  connection.send([FRAMES.S_TOKEN.type, 'wanted', within])
}
