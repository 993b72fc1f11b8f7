/**
 * The types a generated client is made of. A generated file names these and a descriptor; the logic is in
 * this runtime. PROTOCOL.md is what they speak.
 */
import type { MakeInbox } from './inbox.js'
import type { PresenceParts } from './presence.js'
import type { MakeRoom } from './room.js'
import type { MakeStream } from './streams.js'
import type { CallDelivery } from './types/calls.js'
import type { Connection, Outbox } from './types/connection.js'
import type { EventsOf } from './types/rooms.js'

/** What generated code hands to the runtime: what it has to know of a contract. */
export interface Descriptor {
  readonly version: string
  readonly hash: string
  /** How each call is treated; one with items brings along what treats it. */
  readonly calls: Readonly<Record<string, { readonly delivery: CallDelivery; readonly stream?: MakeStream }>>
  /** What treats each room, which params it is made of, and what treats its presence. */
  readonly rooms: Readonly<
    Record<
      string,
      { readonly membership: MakeRoom; readonly params: readonly string[]; readonly presence?: PresenceParts }
    >
  >
  /** What treats recoverable events outside rooms, where there are any. */
  readonly inbox?: MakeInbox
}

/** A client. Only these members at the top; the contract's own names below them. */
export interface Client<Calls extends object, E extends object, Rooms extends object> {
  readonly calls: Calls
  readonly events: EventsOf<E>
  readonly rooms: Rooms
  readonly connection: Connection
  readonly outbox: Outbox
  /** Ends for good: rooms are left, calls that wait fail with `CLOSED`, those in flight as when the connection is lost. Safe to repeat. */
  close(): void
}

export type * from './types/calls.js'
export type * from './types/connection.js'
export type * from './types/options.js'
export type * from './types/rooms.js'
