/** Tickets that every node takes. Redis holds their digests: who can read it cannot come in by one. docs/decisions/sessions.md. */
import { createHash } from 'node:crypto'
import type { Clock } from '../../contract/clock.js'
import { type Identity, Refusal } from '../gateway/index.js'
import { type RedisHub, RedisUnavailable, script } from '../redis/index.js'
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

const KEEP = script('ticket-keep')
const TAKE = script('ticket-take')
/** Seconds after which Redis may be there again. */
const AWAY_RETRY_AFTER = 5

/** What Redis is asked for tickets. */
export type TicketHub = Pick<RedisHub, 'prefix' | 'run' | 'command'>

/**
 * See `Tickets`. A ticket is a key of its own, and stands in a set of its user and one of its token: it is good while it is in all of them,
 * so that taking back all of a user's is to delete one set, whoever makes or uses one meanwhile.
 */
export class RedisTickets implements Tickets {
  readonly #hub: TicketHub
  readonly #clock: Clock
  readonly #path: string
  // Of this node: how many were made in the time that runs.
  #made = 0
  #until = 0

  constructor(hub: TicketHub, clock: Clock, path: string) {
    this.#hub = hub
    this.#clock = clock
    this.#path = path
  }

  async issue(identity: Identity): Promise<string> {
    this.#count()
    const ticket = makeTicket()
    const digest = digestOf(ticket)
    const [user, ...tokens] = ownersOf(identity)
    // Throws where it cannot be written: then nothing is there yet.
    const text = JSON.stringify(identity)
    await this.#asking(async () => {
      const kept = await this.#hub.run(KEEP, [this.#owner(user)], [digest, TICKET_MS, TICKETS_PER_USER])
      if (kept === 0) throw tooManyTickets()
      for (const token of tokens) await this.#hub.run(KEEP, [this.#owner(token)], [digest, TICKET_MS, 0])
      await this.#hub.command('SET', this.#key(digest), text, 'PX', TICKET_MS)
    })
    return ticket
  }

  look(ticket: string): Promise<Identity | undefined> {
    const digest = digestOf(ticket)
    return this.#asking(async () => {
      const identity = identityOf(await this.#hub.command('GET', this.#key(digest)))
      if (identity === undefined) return undefined
      for (const owner of ownersOf(identity))
        if ((await this.#hub.command('ZSCORE', this.#owner(owner), digest)) === null) return undefined
      return identity
    })
  }

  take(ticket: string): Promise<Identity | undefined> {
    const digest = digestOf(ticket)
    return this.#asking(async () => {
      const identity = identityOf(await this.#hub.run(TAKE, [this.#key(digest)], []))
      if (identity === undefined) return undefined
      const kept = await Promise.all(
        ownersOf(identity).map((owner) => this.#hub.command('ZREM', this.#owner(owner), digest)),
      )
      return kept.every((count) => count === 1) ? identity : undefined
    })
  }

  async revoke(owner: string): Promise<void> {
    await this.#hub.command('DEL', this.#owner(owner))
  }

  // Of all users together there is no other bound but the time.
  #count(): void {
    const now = this.#clock.now()
    if (now >= this.#until) {
      this.#until = now + TICKET_MS
      this.#made = 0
    }
    if (++this.#made > MAX_TICKETS) throw noTickets()
  }

  async #asking<T>(ask: () => Promise<T>): Promise<T> {
    try {
      return await ask()
    } catch (error) {
      if (!(error instanceof RedisUnavailable)) throw error
      throw new Refusal(503, 'UNAVAILABLE', 'tickets are not available now', AWAY_RETRY_AFTER)
    }
  }

  readonly #key = (digest: string): string => `${this.#hub.prefix}:{ticket ${this.#path} ${digest}}`
  readonly #owner = (owner: string): string => `${this.#hub.prefix}:{${this.#path} ${owner}}:tickets`
}

const digestOf = (ticket: string): string => createHash('sha256').update(ticket).digest('base64url')

// What this program wrote; `Infinity` is null in JSON.
function identityOf(text: unknown): Identity | undefined {
  if (typeof text !== 'string') return undefined
  const { expiresAt, ...identity } = JSON.parse(text) as Identity & { readonly expiresAt: number | null }
  return typeof expiresAt === 'number' ? { ...identity, expiresAt } : identity
}
