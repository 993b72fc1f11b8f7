/** Ends connections whose token ran out. PROTOCOL.md § Tokens. */
import type { Clock, Timer } from '../../contract/clock.js'
import { CLOSE } from '../../contract/wire/index.js'
import type { Connection } from './connection.js'

/** Milliseconds between two looks at the least: so much late an end may be noticed where nothing is received. */
const LEAST_WAIT = 1000
/** What a Clock takes. */
const LONGEST_WAIT = 2_147_483_647

/** One timer for the earliest end among all connections, none where no token has an end. */
export class Expiry {
  readonly #clock: Clock
  readonly #connections: () => Iterable<Connection>
  #due = Number.POSITIVE_INFINITY
  #timer: Timer | undefined

  /** `connections`: all that may be watched; looked through each time an end has come. */
  constructor(clock: Clock, connections: () => Iterable<Connection>) {
    this.#clock = clock
    this.#connections = connections
  }

  /** An open connection will be closed with 4002 when its token ends. */
  watch({ expiresAt }: Connection): void {
    if (expiresAt < this.#due) this.#arm(expiresAt, 0)
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
      if (connection.expiresAt <= now) connection.close(CLOSE.TOKEN_EXPIRED)
      else next = Math.min(next, connection.expiresAt)
    }
    if (next < Number.POSITIVE_INFINITY) this.#arm(next, LEAST_WAIT)
  }
}
