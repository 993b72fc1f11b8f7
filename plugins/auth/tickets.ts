/** One-time tickets: what a client that wants no token in a handshake presents instead. PROTOCOL.md § Tickets. */
import { randomBytes } from 'node:crypto'
import type { Clock } from '../../contract/clock.js'
import { type Identity, Refusal } from '../gateway/index.js'

/** Milliseconds a ticket is good for. */
export const TICKET_MS = 30_000
/** Tickets a user may hold unused. */
export const TICKETS_PER_USER = 16
/** Tickets a namespace holds on one node. */
export const MAX_TICKETS = 10_000

/** What every ticket starts with, so that no token is looked up for one. */
const PREFIX = 'ackord.ticket.'

/** Whether a token is meant as a ticket. */
export const isTicket = (token: string): boolean => token.startsWith(PREFIX)

interface Ticket {
  readonly identity: Identity
  /** The clock's time until which it is good. */
  readonly until: number
}

/** The unused tickets of one namespace, in the memory of this node. */
export class Tickets {
  readonly #clock: Clock
  // All are good for the same time, so that the oldest stands first.
  readonly #tickets = new Map<string, Ticket>()
  readonly #perUser = new Map<string, number>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  get size(): number {
    return this.#tickets.size
  }

  /** How many users have some. */
  get users(): number {
    return this.#perUser.size
  }

  /** Makes a ticket for who is authenticated: 128 random bits. Throws a Refusal: 429 where the user holds too many, 503 where all do. */
  issue(identity: Identity): string {
    this.#expire()
    const mine = this.#perUser.get(identity.id) ?? 0
    const retryAfter = TICKET_MS / 1000
    if (mine >= TICKETS_PER_USER)
      throw new Refusal(429, 'TOO_MANY_REQUESTS', 'too many tickets are unused', retryAfter)
    if (this.#tickets.size >= MAX_TICKETS)
      throw new Refusal(503, 'UNAVAILABLE', 'no ticket is to be had now', retryAfter)
    const ticket = PREFIX + randomBytes(16).toString('base64url')
    this.#tickets.set(ticket, { identity, until: this.#clock.now() + TICKET_MS })
    this.#perUser.set(identity.id, mine + 1)
    return ticket
  }

  /** Who a ticket is for; it stays good. */
  look(ticket: string): Identity | undefined {
    const found = this.#tickets.get(ticket)
    return found !== undefined && found.until > this.#clock.now() ? found.identity : undefined
  }

  /** Who a ticket is for, once: from here on it is used. */
  take(ticket: string): Identity | undefined {
    const identity = this.look(ticket)
    const found = this.#tickets.get(ticket)
    if (found !== undefined) this.#delete(ticket, found)
    return identity
  }

  /** Takes back the tickets of identities that are meant. Looks through all of them. */
  revoke(isMeant: (identity: Identity) => boolean): void {
    for (const [ticket, found] of this.#tickets) if (isMeant(found.identity)) this.#delete(ticket, found)
  }

  #expire(): void {
    const now = this.#clock.now()
    for (const [ticket, found] of this.#tickets) {
      if (found.until > now) return
      this.#delete(ticket, found)
    }
  }

  #delete(ticket: string, { identity }: Ticket): void {
    this.#tickets.delete(ticket)
    const left = (this.#perUser.get(identity.id) ?? 1) - 1
    if (left === 0) this.#perUser.delete(identity.id)
    else this.#perUser.set(identity.id, left)
  }
}
