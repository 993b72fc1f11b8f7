/** The hooks plugins are made of, ours included. Called directly, in the order they were added. */
import type { IncomingHttpHeaders } from 'node:http'
import { AckordError } from '../errors.js'
import type { Connection } from './connection.js'
import type { Backpressure } from './counters.js'
import type { Pack } from './message.js'
import type { Mount } from './mount.js'
import type { Request } from './requests.js'

/** What is kept of an upgrade: a small snapshot, so that no request or reply lives as long as its connection. */
export interface UpgradeInfo {
  /** The client's address; behind a proxy as Fastify's `trustProxy` says. */
  readonly ip: string
  /** The request's headers, without those that carry a token. */
  readonly headers: IncomingHttpHeaders
  /** Path and query of the request. */
  readonly url: string
  /** The subprotocol that was agreed on; empty where a plain GET only asks for the verdict. */
  readonly protocol: string
}

/** Who a connection belongs to, as `authenticate` returned it. Anything may stand beside `id`. */
export interface Identity {
  /** 1 to 256 characters. */
  readonly id: string
  /** Milliseconds since 1970: the connection ends then, and the client comes back with a fresh token. */
  readonly expiresAt?: number
  /** Names the token, so that it can be revoked. */
  readonly tokenId?: string
}

/** A call on its way to its handler. */
export interface CallInfo {
  readonly mount: Mount
  readonly connection: Connection
  /** Empty where the contract has no such call. */
  readonly name: string
  /** As sent: not yet validated; bytes are their base64 where the codec is JSON. */
  readonly input: unknown
  /** Stable across resends of a 'once' call; otherwise of this attempt alone. */
  readonly operationId: string
}

/** A membership that is asked for or ends. */
export interface JoinInfo {
  readonly mount: Mount
  readonly connection: Connection
  readonly room: string
  readonly key: string
  readonly params: unknown
  /** It is a member already, and its right to be one is checked again. */
  readonly again?: true
}

/** A member on its way in. */
export interface EnterInfo extends JoinInfo {
  /** Its JOIN; absent where the server joins it. */
  readonly request?: Request | undefined
}

/** A member on its way in, as an `onEnter` hook follows it: `entered` or `cancelled` is called, once. Neither may throw. */
export interface Entering {
  /** Bytes that JOINED's presence would take now, at most. Where its connection has no room for them the JOIN is refused: OVERLOADED. */
  readonly bytes?: number
  /** It comes in, in this turn: JOINED is sent next. Returns the JSON text of JOINED's presence, if any. */
  entered(): string | undefined
  /** It does not: refused, cancelled, gone, or a member already. */
  cancelled(): void
  /** Makes the binary form of a JOINED with that presence; where it is absent there are no bytes in it. */
  readonly pack?: Pack
}

/** A publication on its way to the broker. */
export interface PublishInfo {
  readonly mount: Mount
  readonly room: string
  readonly key: string
  readonly event: string
  readonly payload: unknown
}

/** An upgrade, or a plain GET that asked for the verdict, was refused. */
export interface RefuseInfo {
  readonly mount: Mount
  /**
   * The client's address; behind a proxy as Fastify's `trustProxy` says. `undefined` of an upgrade that this node refused before Fastify
   * saw it, whoever it was: OVERLOADED, FULL, CLOSING.
   */
  readonly ip: string | undefined
  readonly status: number
  /** PROTOCOL.md § Refusals; `HTTP_` and the status where a hook of the app answered by itself. */
  readonly code: string
}

/** A call came to its end. */
export interface AnswerInfo {
  readonly call: CallInfo
  /** `OK`, or the code of its error; CONNECTION_LOST where its connection ended first. */
  readonly code: string
  /** Milliseconds since the call came in, hooks included. */
  readonly ms: number
}

/** How a connection ended. */
export interface DisconnectInfo {
  readonly code: number
  readonly reason: string
  /** We closed it. Else the peer did, with whatever code it liked, or its socket was lost (1006). */
  readonly isOurs: boolean
}

type Awaitable<T> = T | Promise<T>

/** The hooks: when each is called and what it may do. docs/hooks.md. */
export interface Hooks {
  /** A namespace was registered, its route is declared: routes of its own may be declared in `mount.app`, now. */
  onRegister(mount: Mount): void
  /** A namespace is being mounted: a plugin adds its frame handlers here. A throw fails the start. */
  onMount(mount: Mount): Awaitable<void>
  /**
   * After path, Origin and subprotocol, before the token is looked at; also for a plain GET that asks for the verdict. Throw a Refusal to
   * refuse.
   */
  onUpgrade(upgrade: UpgradeInfo, mount: Mount): Awaitable<void>
  /** Authenticated, WELCOME not yet sent. A throw closes the connection. */
  onConnect(connection: Connection): Awaitable<void>
  /** Gone; its memberships and calls have ended. A throw is logged. */
  onDisconnect(connection: Connection, info: DisconnectInfo): Awaitable<void>
  /** Around a call, one the contract does not have included: look-up done, input not yet validated. Refuse by throwing a CallError. */
  onCall(call: CallInfo, next: () => Promise<unknown>): Promise<unknown>
  /** A call was answered, or a volatile one or one whose connection is gone ended: once per call. A throw is logged. */
  onAnswer(answer: AnswerInfo): void
  /** What an open connection may do is in doubt, or its user changed: check again what it was granted. A throw is logged. */
  onReauthorize(connection: Connection): Awaitable<void>
  /** Before the namespace's own `join`, also where a member is checked again. Refuse by throwing a CallError. */
  onJoin(join: JoinInfo): Awaitable<void>
  /**
   * May be in the room, by its own JOIN or by the server's: awaited before JOINED. A throw refuses, as one in `onJoin` does. `onLeave`
   * follows where `entered` was called.
   */
  onEnter(join: EnterInfo): Awaitable<Entering | undefined>
  /** A membership ended. */
  onLeave(join: JoinInfo): void
  /** Validated, before the broker. A throw reaches the publisher. */
  onPublish(publication: PublishInfo): Awaitable<void>
  /**
   * An upgrade was refused, by whom ever, a plain GET was told that it would be, or a session beyond `maxConnectionsPerUser` was closed. A
   * throw is logged.
   */
  onRefuse(refusal: RefuseInfo): void
  /**
   * A connection is too fast or too slow: `count` messages to it were `dropped` in this turn of the event loop, it is `closed` (1013), it
   * is `paused`, a request of it was refused as `overloaded`. May be called often. A throw is logged.
   */
  onBackpressure(connection: Connection, what: Backpressure, count: number): void
  /** The app closes: no new connection comes, those that are here still answer. Awaited within the grace time. */
  onClose(): Awaitable<void>
}

/** The name of a hook. */
export type HookName = keyof Hooks

/** A full path, or the paths that are in a set when the namespaces are mounted; all where it is undefined. */
export type Where = string | ReadonlySet<string> | undefined

const applies = (where: Where, path: string | undefined): boolean =>
  where === undefined || (typeof where === 'string' ? where === path : path !== undefined && where.has(path))

/** The hooks of one app, kept by name. */
export class HookTable {
  readonly #hooks: { [N in HookName]: Array<{ hook: Hooks[N]; where: Where }> } = {
    onRegister: [],
    onMount: [],
    onUpgrade: [],
    onConnect: [],
    onDisconnect: [],
    onCall: [],
    onAnswer: [],
    onReauthorize: [],
    onJoin: [],
    onEnter: [],
    onLeave: [],
    onPublish: [],
    onRefuse: [],
    onBackpressure: [],
    onClose: [],
  }

  /** Adds a hook for all namespaces, or for those mounted at `where`. Throws ACKORD_INVALID_HOOK. */
  add<N extends HookName>(name: N, hook: Hooks[N], where?: Where): void {
    if (!Object.hasOwn(this.#hooks, name))
      throw new AckordError(
        'ACKORD_INVALID_HOOK',
        `no hook is named ${name}; there are ${Object.keys(this.#hooks).join(', ')}`,
      )
    if (typeof hook !== 'function') throw new AckordError('ACKORD_INVALID_HOOK', `${name}: pass a function`)
    this.#hooks[name].push({ hook, where })
  }

  /** Throws ACKORD_INVALID_HOOK where a hook is limited to a path that is none of these. */
  checkPaths(known: { has(path: string): boolean }): void {
    for (const [name, entries] of Object.entries(this.#hooks)) {
      for (const { where } of entries) {
        if (typeof where === 'string' && !known.has(where)) {
          throw new AckordError('ACKORD_INVALID_HOOK', `${name}: no namespace is mounted at ${where}`)
        }
      }
    }
  }

  /** The hooks of one name that apply to a path, in order. Take them once, not per message. */
  of<N extends HookName>(name: N, path?: string): ReadonlyArray<Hooks[N]> {
    return this.#hooks[name].filter(({ where }) => applies(where, path)).map(({ hook }) => hook)
  }
}
