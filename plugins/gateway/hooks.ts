/** The hooks plugins are made of, ours included. Called directly, in the order they were added. */
import type { IncomingHttpHeaders } from 'node:http'
import { AckordError } from '../errors.js'
import type { Connection } from './connection.js'
import type { Mount } from './mount.js'

/** What is kept of an upgrade: a small snapshot, so that no request or reply lives as long as its connection. */
export interface UpgradeInfo {
  /** The client's address; behind a proxy as Fastify's `trustProxy` says. */
  readonly ip: string
  /** The request's headers, without those that carry a token. */
  readonly headers: IncomingHttpHeaders
  /** Path and query of the request. */
  readonly url: string
  /** The subprotocol that was agreed on. */
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
  readonly name: string
  /** As sent: not yet validated. */
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
}

/** A publication on its way to the broker. */
export interface PublishInfo {
  readonly mount: Mount
  readonly room: string
  readonly key: string
  readonly event: string
  readonly payload: unknown
}

/** How a connection ended. */
export interface DisconnectInfo {
  readonly code: number
  readonly reason: string
}

type Awaitable<T> = T | Promise<T>

/** The hooks: when each is called and what it may do. docs/hooks.md. */
export interface Hooks {
  /** A namespace is being mounted: a plugin adds its frame handlers here. A throw fails the start. */
  onMount(mount: Mount): Awaitable<void>
  /** After path, Origin and subprotocol, before the token is looked at. Throw a Refusal to refuse. */
  onUpgrade(upgrade: UpgradeInfo, mount: Mount): Awaitable<void>
  /** Authenticated, WELCOME not yet sent. A throw closes the connection. */
  onConnect(connection: Connection): Awaitable<void>
  /** Gone; its memberships and calls have ended. A throw is logged. */
  onDisconnect(connection: Connection, info: DisconnectInfo): Awaitable<void>
  /** Around a call: look-up done, input not yet validated. Refuse by throwing a CallError. */
  onCall(call: CallInfo, next: () => Promise<unknown>): Promise<unknown>
  /** Before the namespace's own `join`. Refuse by throwing a CallError. */
  onJoin(join: JoinInfo): Awaitable<void>
  /** A membership ended. */
  onLeave(join: JoinInfo): void
  /** Validated, before the broker. A throw reaches the publisher. */
  onPublish(publication: PublishInfo): Awaitable<void>
  /** The app closes: no new connection comes, those that are here still answer. Awaited within the grace time. */
  onClose(): Awaitable<void>
}

/** The name of a hook. */
export type HookName = keyof Hooks

/** The hooks of one app, kept by name. */
export class HookTable {
  readonly #hooks: { [N in HookName]: Array<{ hook: Hooks[N]; path: string | undefined }> } = {
    onMount: [],
    onUpgrade: [],
    onConnect: [],
    onDisconnect: [],
    onCall: [],
    onJoin: [],
    onLeave: [],
    onPublish: [],
    onClose: [],
  }

  /** Adds a hook for all namespaces, or for the one mounted at `path`. Throws ACKORD_INVALID_HOOK. */
  add<N extends HookName>(name: N, hook: Hooks[N], path?: string): void {
    if (!Object.hasOwn(this.#hooks, name))
      throw new AckordError('ACKORD_INVALID_HOOK', `no hook is named ${name}`)
    if (typeof hook !== 'function') throw new AckordError('ACKORD_INVALID_HOOK', `${name}: pass a function`)
    this.#hooks[name].push({ hook, path })
  }

  /** Throws ACKORD_INVALID_HOOK where a hook is limited to a path that is none of these. */
  checkPaths(known: { has(path: string): boolean }): void {
    for (const [name, entries] of Object.entries(this.#hooks)) {
      for (const { path } of entries) {
        if (path !== undefined && !known.has(path)) {
          throw new AckordError('ACKORD_INVALID_HOOK', `${name}: no namespace is mounted at ${path}`)
        }
      }
    }
  }

  /** The hooks of one name that apply to a path, in order. Take them once, not per message. */
  of<N extends HookName>(name: N, path?: string): ReadonlyArray<Hooks[N]> {
    return this.#hooks[name]
      .filter((entry) => entry.path === undefined || entry.path === path)
      .map((entry) => entry.hook)
  }
}
