/** A namespace as it is made and mounted, typed by its contract. */
import type { FastifyContextConfig, FastifyInstance, FastifyPluginAsync } from 'fastify'
import type { Contract, ContractDefinition } from '../../contract/contract.js'
import type { CallsOf, RoomsOf } from '../../contract/infer.js'
import type { Authenticate, JwtOptions, Reauthorize } from '../auth/index.js'
import type { Identity, Settings } from '../gateway/index.js'
import type { Calls, RoomHandlers } from './handler-types.js'
import type { Live } from './live-types.js'

/** Options of `namespace`. Settings given here come before those of `app.register(ackord, …)`. */
export interface NamespaceOptions<U extends Identity, D> extends Settings {
  /** Where it is served, behind the prefix of its scope: plain segments, such as `/chat`. */
  readonly path: string
  /**
   * Who a token belongs to; `'none'` lets everybody in under an id of their own. Absent: @fastify/jwt verifies, and `sub` is
   * the user; without @fastify/jwt the app does not start.
   */
  readonly authenticate?: Authenticate<U> | 'none'
  /** The `config` of its route, for plugins that look there: `{ rateLimit: { max: 20, timeWindow: '1 minute' } }` for @fastify/rate-limit. */
  readonly routeConfig?: FastifyContextConfig
  /** What a JWT must be and say, where @fastify/jwt verifies. */
  readonly jwt?: JwtOptions
  /**
   * Says who a connected user is now, or null where they may no longer be here. Asked for each connection every `reauthorizeEvery` ms,
   * by `revoke` with `mode: 'reauthorize'`, and of who brings a fresh token; then the rooms' `join` is asked again. Without it
   * there are rounds, of `join` alone, only where this namespace sets `reauthorizeEvery` itself.
   */
  readonly reauthorize?: Reauthorize<NoInfer<U>>
  /** Answers `POST {path}/ticket` with one-time tickets. Default true; with `authenticate: 'none'` there are none. */
  readonly tickets?: boolean
  /** Makes what is kept as `data` on each connection. */
  readonly data?: (user: U) => D
}

/** What feature plugins take besides handlers. Each merges its part into this, and takes it by `mount.part`. */
// biome-ignore lint/suspicious/noEmptyInterface: an interface, so that a plugin can add its part.
// biome-ignore lint/correctness/noUnusedVariables: the parts go by the contract.
export interface FeatureParts<C extends ContractDefinition> {}

/** What `plugin` takes: every handler of the contract, and what feature plugins take. */
export type Parts<C extends ContractDefinition, U extends Identity, D> = (keyof CallsOf<C> extends never
  ? { readonly calls?: Calls<C, U, D> }
  : { readonly calls: Calls<C, U, D> }) &
  (keyof RoomsOf<C> extends never
    ? { readonly rooms?: RoomHandlers<C, U, D> }
    : { readonly rooms: RoomHandlers<C, U, D> }) &
  FeatureParts<C>

/** One contract at one path: a handle that handlers are written against, in any file. */
export interface Namespace<C extends ContractDefinition, U extends Identity = Identity, D = undefined> {
  readonly contract: Contract<C>
  /** Types some of the handlers; gives back what it was given. */
  calls<H extends Partial<Calls<C, U, D>>>(handlers: H & OnlyCalls<C, H>): H
  /** Types some of the room handlers; gives back what it was given. */
  rooms<H extends Partial<RoomHandlers<C, U, D>>>(handlers: H): H
  /** The Fastify plugin that mounts it. A missing handler does not compile, and does not start. */
  plugin(parts: Parts<C, U, D>): FastifyPluginAsync
}

type OnlyCalls<C extends ContractDefinition, H> = {
  readonly [K in Exclude<keyof H, keyof CallsOf<C>>]: never
}

/** The decorator: `app.ackord(live)` is the mounted namespace. Throws ACKORD_NOT_MOUNTED. */
export interface AckordDecorator {
  // biome-ignore lint/style/useShorthandFunctionType: an interface, so that a plugin can add its methods.
  <C extends ContractDefinition, U extends Identity, D>(namespace: Namespace<C, U, D>): Live<C, U, D>
}

declare module 'fastify' {
  interface FastifyInstance {
    /** Reaches a mounted namespace, typed by its contract. */
    ackord: AckordDecorator
  }
}

export type * from './handler-types.js'
export type * from './live-types.js'
export type { FastifyInstance }
