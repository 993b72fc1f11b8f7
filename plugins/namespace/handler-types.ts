/** The handlers of a namespace, and what they are given. */
import type { FastifyBaseLogger } from 'fastify'
import type { ContractDefinition } from '../../contract/contract.js'
import type { AckOf, CallsOf, ErrorsOf, InputOf, ItemOf, ParamsOf, RoomsOf } from '../../contract/infer.js'
import type { Identity } from '../gateway/index.js'
import type { LiveConnection, RoomTree } from './live-types.js'

/** What a handler is given beside its input. Every member may be taken apart and passed on. */
export interface CallContext<
  Errors = Record<never, never>,
  U extends Identity = Identity,
  Rooms = unknown,
  C extends ContractDefinition = ContractDefinition,
  D = unknown,
> {
  readonly user: U
  readonly connection: LiveConnection<C, U, D>
  readonly rooms: Rooms
  /** Answers with a declared error. Throws, so nothing behind it runs. */
  readonly fail: Fail<Errors>
  /** Aborts when the client cancels or is gone, or the deadline passes. */
  readonly signal: AbortSignal
  /** Bound to this call, connection and user. */
  readonly log: FastifyBaseLogger
  /** Stable across resends of a 'once' call; otherwise of this attempt alone. */
  readonly operationId: string
}

/** Throws a declared error with its data. */
export type Fail<Errors> = <K extends keyof Errors & string>(code: K, data: Errors[K]) => never

/** Answers a call. */
export type Handler<Input, Ack, Context> = (input: Input, context: Context) => Ack | Promise<Ack>

/** Answers a call that is a stream: yields its items, returns its ack. */
export type StreamHandler<Input, Item, Ack, Context> = (
  input: Input,
  context: Context,
) => AsyncGenerator<Item, Ack>

/** The handlers of a contract's calls. */
export type Calls<C extends ContractDefinition, U extends Identity, D> = {
  readonly [K in keyof CallsOf<C>]: [ItemOf<CallsOf<C>[K]>] extends [never]
    ? Handler<
        InputOf<CallsOf<C>[K]>,
        AckOf<CallsOf<C>[K]>,
        CallContext<ErrorsOf<CallsOf<C>[K]>, U, RoomTree<C, U, D>, C, D>
      >
    : StreamHandler<
        InputOf<CallsOf<C>[K]>,
        ItemOf<CallsOf<C>[K]>,
        AckOf<CallsOf<C>[K]>,
        CallContext<ErrorsOf<CallsOf<C>[K]>, U, RoomTree<C, U, D>, C, D>
      >
}

/** What a `join` is given beside the params. */
export interface JoinContext<C extends ContractDefinition, U extends Identity, D> {
  readonly user: U
  readonly connection: LiveConnection<C, U, D>
}

/** Who may join: `true` lets in; anything else, and a throw, refuses with FORBIDDEN. */
export type JoinHandler<Params, Context> = (params: Params, context: Context) => boolean | Promise<boolean>

/** The handlers of a contract's rooms. */
export type RoomHandlers<C extends ContractDefinition, U extends Identity, D> = {
  readonly [K in keyof RoomsOf<C>]: {
    readonly join: JoinHandler<ParamsOf<RoomsOf<C>[K]>, JoinContext<C, U, D>>
  }
}
