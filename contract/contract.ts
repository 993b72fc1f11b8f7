/**
 * What a team writes: a name, a version, and the calls, events and rooms between a server and its clients.
 * Plain JSON Schema underneath. Holds what the wire needs and no server policy.
 */
import type { Static, TObject, TSchema } from '@sinclair/typebox'
import { checkContract } from './check.js'
import { contractHash } from './hash.js'
import type { InboxName } from './infer.js'
import { shareSchemas } from './schemas.js'

/** How a call is treated when there is no connection, or the connection is lost. PROTOCOL.md § Delivery. */
export type CallDelivery = 'attempt' | 'repeat' | 'once' | 'volatile'

/** How an event is treated for a slow or absent receiver. PROTOCOL.md § Delivery. */
export type EventDelivery = 'volatile' | 'latest' | 'recoverable'

/** A call: client to server, with an ack, typed errors, or a stream of items. */
export interface CallDefinition {
  readonly description?: string
  readonly input: TSchema
  /** What the handler returns. Absent: the ack carries nothing. */
  readonly ack?: TSchema
  /** Errors the handler may `fail` with, by code (`UPPER_CASE`), each with its data. */
  readonly errors?: Readonly<Record<string, TSchema>>
  /** Makes the call a stream of these; `ack` is then its end value. */
  readonly item?: TSchema
  /** Default `'attempt'`. */
  readonly delivery?: CallDelivery
}

/** An event: server to client, on its own or inside a room. */
export interface EventDefinition {
  readonly description?: string
  readonly payload: TSchema
  /** What a client's handler must return when the server asks. Not for events of rooms. */
  readonly ack?: TSchema
  /** Default `'volatile'`. */
  readonly delivery?: EventDelivery
  /** With `'latest'`: the property of the payload (a string or number) of which the newest value is kept. */
  readonly key?: string
}

/** How much of a room's or an inbox's recoverable events is kept; whichever bound is reached first trims. */
export interface HistoryDefinition {
  /** At most this many events (1 to 100,000). */
  readonly messages: number
  /** No event older than this, in seconds (1 to 604,800). */
  readonly seconds: number
  /** At most this many bytes of payload; default 1 MiB, 64 MiB at most. */
  readonly bytes?: number
}

/** A room: a named group with params, events of its own, optional presence and history. */
export interface RoomDefinition {
  readonly description?: string
  /** An object of strings, numbers, booleans, literals or unions of them: together with the name, the room's key. */
  readonly params: TObject
  readonly events: Readonly<Record<string, EventDefinition>>
  /** The state each member shows to the others. */
  readonly presence?: TSchema
  /** Needed for recoverable events. */
  readonly history?: HistoryDefinition
}

/** What `defineContract` takes. */
export interface ContractDefinition {
  readonly name: string
  /** For people and reports, such as `'1.4.0'`; the hash decides compatibility. */
  readonly version: string
  readonly description?: string
  readonly calls?: Readonly<Record<string, CallDefinition>>
  readonly events?: Readonly<Record<string, EventDefinition>>
  readonly rooms?: Readonly<Record<string, RoomDefinition>>
  /**
   * How much is kept of each user's recoverable `events`, for when they come back. Default 1,000 events, 86,400 s (a day), 1 MiB; only where
   * an event is recoverable. Not of the hash: a client needs to know nothing of it.
   */
  readonly inbox?: HistoryDefinition
}

/** A checked contract: what was written, and the hash of what changes the wire (16 hex digits). */
export type Contract<D extends ContractDefinition = ContractDefinition> = D & { readonly hash: string }

/** An inbox without a recoverable event would stay empty. */
type InboxUsed<D> = D extends ContractDefinition & { readonly inbox: HistoryDefinition }
  ? [InboxName<D>] extends [never]
    ? { readonly inbox: never }
    : { readonly inbox: Exactly<D['inbox'], HistoryDefinition> }
  : unknown

type Exactly<Given, Allowed> = Given & { readonly [K in Exclude<keyof Given, keyof Allowed>]: never }

/** Declares a call. Unknown keys do not compile. */
export const call = <const D extends CallDefinition>(definition: Exactly<D, CallDefinition>): D => definition

/** The properties of a payload that are always there and are a string or a number. */
type KeyOf<T> = {
  [K in keyof T & string]-?: Record<never, never> extends Pick<T, K>
    ? never
    : T[K] extends string | number
      ? K
      : never
}[keyof T & string]

/** An event whose newest value per key is kept. */
export interface LatestEvent<P extends TObject, K extends string> {
  readonly description?: string
  readonly payload: P
  readonly delivery: 'latest'
  readonly key: K
}

/** Declares an event. `'latest'` needs a `key`: the name of a property of its payload, a string or number that is always there. */
export function event<P extends TObject, const K extends KeyOf<Static<P>>>(
  definition: LatestEvent<P, K>,
): LatestEvent<P, K>
export function event<
  const D extends EventDefinition & { readonly delivery?: 'volatile' | 'recoverable'; readonly key?: never },
>(definition: Exactly<D, EventDefinition>): D
export function event(definition: EventDefinition): EventDefinition {
  return definition
}

/** Declares a room. Unknown keys do not compile. */
export const room = <const D extends RoomDefinition>(definition: Exactly<D, RoomDefinition>): D => definition

/**
 * Checks a contract and gives it its hash. Throws a ContractError that names the path of the offending key
 * and what to do.
 */
export function defineContract<const D extends ContractDefinition>(
  definition: Exactly<D, ContractDefinition> & InboxUsed<D>,
): Contract<D> {
  checkContract(definition)
  const contract = Object.freeze({ ...definition, hash: contractHash(definition) })
  shareSchemas(definition, contract)
  return contract
}
