/**
 * One-time tickets: what a client that wants no token in a handshake presents instead. PROTOCOL.md § Tickets. Every implementation passes
 * test/conformance/tickets.ts unchanged.
 */
import { randomBytes } from 'node:crypto'
import { type Identity, Refusal } from '../gateway/index.js'

/** Milliseconds a ticket is good for. */
export const TICKET_MS = 30_000
/** Tickets a user may hold unused. */
export const TICKETS_PER_USER = 16
/** Tickets a namespace holds unused on one node; with Redis, that a node makes of it in `TICKET_MS`. */
export const MAX_TICKETS = 10_000

/** What every ticket starts with, so that no token is looked up for one. */
const PREFIX = 'ackord.ticket.'

/** Whether a token is meant as a ticket. */
export const isTicket = (token: string): boolean => token.startsWith(PREFIX)

/** A new one: 128 random bits. */
export const makeTicket = (): string => PREFIX + randomBytes(16).toString('base64url')

/** The unused tickets of one namespace. What cannot be asked now rejects with a Refusal of 503. */
export interface Tickets {
  /** Makes a ticket for who is authenticated. Rejects with a Refusal: 429 where the user holds too many, 503 where all do. */
  issue(identity: Identity): Promise<string>
  /** Who a ticket is for; it stays good. */
  look(ticket: string): Promise<Identity | undefined>
  /** Who a ticket is for, once: from here on it is used. */
  take(ticket: string): Promise<Identity | undefined>
  /** Takes back the tickets of a user, or of a token; in memory before it returns. Rejects with RedisUnavailable. */
  revoke(owner: string): Promise<void>
}

/** Under what the tickets of an identity are taken back. */
export const ownersOf = ({ id, tokenId }: Identity): readonly [user: string, ...token: string[]] => [
  userKey(id),
  ...tokenKeys(tokenId),
]

/** A user, as a key beside tokens and sessions. */
export const userKey = (id: string): string => `user ${id}`
/** A token, by its id. */
export const tokenKey = (id: string): string => `token ${id}`
/** The token of somebody who may have none that has a name. */
export const tokenKeys = (id: string | undefined): string[] => (id === undefined ? [] : [tokenKey(id)])

const RETRY_AFTER = TICKET_MS / 1000

/** The user holds as many as they may. */
export const tooManyTickets = (): Refusal =>
  new Refusal(429, 'TOO_MANY_REQUESTS', 'too many tickets are unused', RETRY_AFTER)
/** All users together do. */
export const noTickets = (): Refusal =>
  new Refusal(503, 'UNAVAILABLE', 'no ticket is to be had now', RETRY_AFTER)
