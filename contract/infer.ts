/** The static types of a contract's parts, for both servers and tools. Types only. */
import type { Static, TSchema } from '@sinclair/typebox'
import type { CallDefinition, ContractDefinition, EventDefinition, RoomDefinition } from './contract.js'

type Empty = Record<never, never>
type Part<C, K extends string> = C extends { readonly [P in K]: infer V } ? V : Empty

/** The calls of a contract, `{}` where it declares none. */
export type CallsOf<C extends ContractDefinition> = Part<C, 'calls'>
/** The events of a contract, `{}` where it declares none. */
export type EventsOf<C extends ContractDefinition> = Part<C, 'events'>
/** The rooms of a contract, `{}` where it declares none. */
export type RoomsOf<C extends ContractDefinition> = Part<C, 'rooms'>

/** The names of a contract's calls. */
export type CallName<C extends ContractDefinition> = keyof CallsOf<C> & string
/** The names of a contract's events outside rooms. */
export type EventName<C extends ContractDefinition> = keyof EventsOf<C> & string
/** The names of a contract's rooms. */
export type RoomName<C extends ContractDefinition> = keyof RoomsOf<C> & string

/** A call's input. */
export type InputOf<D> = D extends { readonly input: infer S extends TSchema } ? Static<S> : never
/** A call's or event's ack; `void` where none is declared. */
export type AckOf<D> = D extends { readonly ack: infer S extends TSchema } ? Static<S> : void
/** A stream's item; `never` for calls that are no streams. */
export type ItemOf<D> = D extends { readonly item: infer S extends TSchema } ? Static<S> : never
/** A call's declared errors, data by code; `{}` where none are declared. */
export type ErrorsOf<D> = D extends { readonly errors: infer E extends Readonly<Record<string, TSchema>> }
  ? { readonly [K in keyof E]: Static<E[K]> }
  : Empty
/** An event's payload. */
export type PayloadOf<D> = D extends { readonly payload: infer S extends TSchema } ? Static<S> : never
/** A room's params. */
export type ParamsOf<D> = D extends { readonly params: infer S extends TSchema } ? Static<S> : never
/** A room's events, payload by name. */
export type RoomEventsOf<D> = D extends { readonly events: infer E }
  ? { readonly [K in keyof E]: PayloadOf<E[K]> }
  : Empty
/** A room's presence state; `never` where it has none. */
export type PresenceOf<D> = D extends { readonly presence: infer S extends TSchema } ? Static<S> : never

/** The events that a server may `ask`: those with an ack. */
export type AskName<C extends ContractDefinition> = {
  [K in EventName<C>]: EventsOf<C>[K] extends { readonly ack: TSchema } ? K : never
}[EventName<C>]

/** The events outside rooms that go into the inbox of a user: those of delivery `recoverable`. */
export type InboxName<C extends ContractDefinition> = {
  [K in EventName<C>]: EventsOf<C>[K] extends { readonly delivery: 'recoverable' } ? K : never
}[EventName<C>]

/** The events outside rooms that reach whoever is connected now, and nobody else: all others. */
export type PassingName<C extends ContractDefinition> = Exclude<EventName<C>, InboxName<C>>

/** Dotted names as nested objects: `{ 'a.b': X, c: Y }` becomes `{ a: { b: X }, c: Y }`. */
export type Tree<Leaves> = {
  readonly [H in Head<keyof Leaves & string>]: H extends keyof Leaves ? Leaves[H] : Tree<Below<Leaves, H>>
}
type Head<N extends string> = N extends `${infer A}.${string}` ? A : N
type Below<Leaves, H extends string> = {
  readonly [K in keyof Leaves & string as K extends `${H}.${infer Rest}` ? Rest : never]: Leaves[K]
}

export type { CallDefinition, ContractDefinition, EventDefinition, RoomDefinition }
