/** Tickets in the memory of one node. */
import type { Clock } from '../../contract/clock.js'
import type { Identity } from '../gateway/index.js'
import {
  MAX_TICKETS,
  makeTicket,
  noTickets,
  ownersOf,
  TICKET_MS,
  TICKETS_PER_USER,
  type Tickets,
  tooManyTickets,
} from './tickets.js'

interface Ticket {
  readonly identity: Identity
  /** The clock's time until which it is good. */
  readonly until: number
}

/** See `Tickets`. */
export class MemoryTickets implements Tickets {
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

  async issue(identity: Identity): Promise<string> {
    this.#expire()
    const mine = this.#perUser.get(identity.id) ?? 0
    if (mine >= TICKETS_PER_USER) throw tooManyTickets()
    if (this.#tickets.size >= MAX_TICKETS) throw noTickets()
    const ticket = makeTicket()
    this.#tickets.set(ticket, { identity, until: this.#clock.now() + TICKET_MS })
    this.#perUser.set(identity.id, mine + 1)
    return ticket
  }

  async look(ticket: string): Promise<Identity | undefined> {
    return this.#find(ticket)
  }

  async take(ticket: string): Promise<Identity | undefined> {
    const identity = this.#find(ticket)
    const found = this.#tickets.get(ticket)
    if (found !== undefined) this.#delete(ticket, found)
    return identity
  }

  // Looks through all of them.
  async revoke(owner: string): Promise<void> {
    for (const [ticket, found] of this.#tickets)
      if (ownersOf(found.identity).includes(owner)) this.#delete(ticket, found)
  }

  #find(ticket: string): Identity | undefined {
    const found = this.#tickets.get(ticket)
    return found !== undefined && found.until > this.#clock.now() ? found.identity : undefined
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
