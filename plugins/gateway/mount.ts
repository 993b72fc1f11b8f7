/** A namespace mounted at a path of an app: its settings, its connections, and who handles which frame. */
import type { FastifyBaseLogger, FastifyInstance, FastifyRequest } from 'fastify'
import type { Clock } from '../../contract/clock.js'
import type { ContractDefinition } from '../../contract/contract.js'
import {
  CLOSE,
  type ClientFrame,
  type CloseCode,
  FRAMES,
  type FrameName,
  type FrameOf,
  Violation,
} from '../../contract/wire/index.js'
import { Cap } from './cap.js'
import type { Connection } from './connection.js'
import type { Backpressure } from './counters.js'
import type { Gateway } from './gateway.js'
import { onBeat } from './heartbeat.js'
import type { DisconnectInfo, Hooks, Identity, RefuseInfo, UpgradeInfo } from './hooks.js'
import type { ResolvedSettings } from './options.js'
import { Refusal } from './refusal.js'
import { Registry, sessionKey } from './registry.js'

/** Handles one kind of frame. A thrown Violation closes the connection with its code. */
export type FrameHandler<N extends FrameName> = (connection: Connection, frame: FrameOf<N>) => void

/** Finds out who a token belongs to. Throws a Refusal: 401, 403, or 503 where it cannot be found out now. */
export type Authenticator = (token: string | undefined, upgrade: UpgradeInfo) => Promise<Identity>

/** What `live.plugin({ … })` was given, as feature plugins find it: each looks at its own part. */
export type MountParts = Readonly<Record<string, unknown>>

/** What a namespace hands to the gateway. */
export interface MountDefinition {
  readonly contract: ContractDefinition & { readonly hash: string }
  readonly options: Readonly<Record<string, unknown>>
  readonly parts: MountParts
}

/** What the typed surface of a namespace puts into a handler's context. */
export interface Surface {
  readonly rooms: unknown
  connection(connection: Connection): unknown
}

const NO_AUTHENTICATOR: Authenticator = async () => {
  throw new Refusal(503, 'UNAVAILABLE', 'nothing authenticates this namespace', 30)
}

const TOO_MANY: CloseCode = { ...CLOSE.TRY_LATER, reason: 'too many connections of this user' }

/** One namespace at one path. */
export class Mount {
  readonly gateway: Gateway
  readonly definition: MountDefinition
  /** The Fastify scope it was registered in. */
  readonly app: FastifyInstance
  /** The path, prefix included. */
  readonly path: string
  readonly settings: ResolvedSettings
  readonly connections = new Registry()
  /** Upgrades whose user is known and whose HELLO has not come, by user. */
  readonly expected = new Cap(Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY)
  /** Feature names for WELCOME. PROTOCOL.md § Growth. */
  readonly features: string[] = []
  /** Set by the auth plugin. */
  authenticator: Authenticator = NO_AUTHENTICATOR
  /** Finds a token that an upgrade carries. Set by the auth plugin. PROTOCOL.md § Tokens. */
  carriedToken: (request: FastifyRequest) => string | undefined = () => undefined
  /** How handlers see connections and rooms. Set by the namespace plugin. */
  surface: Surface = { rooms: undefined, connection: (connection) => connection }

  // By frame number; a frame nobody handles is a violation.
  readonly #frames: Array<((connection: Connection, frame: never) => void) | undefined> = []
  #onConnect: ReadonlyArray<Hooks['onConnect']> = []
  #onDisconnect: ReadonlyArray<Hooks['onDisconnect']> = []
  #onRefuse: ReadonlyArray<Hooks['onRefuse']> = []
  #onBackpressure: ReadonlyArray<Hooks['onBackpressure']> = []

  constructor(
    gateway: Gateway,
    definition: MountDefinition,
    app: FastifyInstance,
    path: string,
    settings: ResolvedSettings,
  ) {
    this.gateway = gateway
    this.definition = definition
    this.app = app
    this.path = path
    this.settings = settings
    this.handle('BEAT', onBeat)
  }

  get contract(): MountDefinition['contract'] {
    return this.definition.contract
  }

  get clock(): Clock {
    return this.gateway.clock
  }

  get log(): FastifyBaseLogger {
    return this.app.log
  }

  /** A feature plugin takes a kind of frame; for `onMount`. */
  handle<N extends FrameName>(name: N, handler: FrameHandler<N>): void {
    this.#frames[FRAMES[name].type] = handler as (connection: Connection, frame: never) => void
  }

  /** Runs the plugins' `onMount` and takes the hooks as they then are. Throws what they throw. */
  async prepare(): Promise<void> {
    const unserved = Object.entries(this.contract.rooms ?? {}).filter(
      ([, room]) => room.presence !== undefined,
    )
    if (unserved.length > 0) {
      const rooms = unserved.map(([name]) => name)
      this.log.warn({ path: this.path, rooms }, 'ackord: presence is not served by this version')
    }
    for (const onMount of this.gateway.hooks.of('onMount', this.path)) await onMount(this)
    this.#onConnect = this.gateway.hooks.of('onConnect', this.path)
    this.#onDisconnect = this.gateway.hooks.of('onDisconnect', this.path)
    this.#onRefuse = this.gateway.hooks.of('onRefuse', this.path)
    this.#onBackpressure = this.gateway.hooks.of('onBackpressure', this.path)
  }

  /** Hop 3 begins here: the frame goes to the plugin that handles its kind. */
  dispatch(connection: Connection, frame: ClientFrame): void {
    const handler = this.#frames[frame[0]]
    if (handler === undefined) throw new Violation(CLOSE.UNEXPECTED_FRAME)
    handler(connection, frame as never)
  }

  /**
   * See `Authenticator`. Waits for its turn among all of the node, and never settles where `isWanted` says by then that nobody waits
   * for it. An answer that cannot be used is refused as 503: it is ours to mend, not the client's.
   */
  async authenticate(
    token: string | undefined,
    upgrade: UpgradeInfo,
    isWanted?: () => boolean,
  ): Promise<Identity> {
    const { authentications } = this.gateway.caps
    const identity = await authentications.run(async () => this.authenticator(token, upgrade), isWanted)
    const { id, expiresAt = Number.POSITIVE_INFINITY } = identity
    const isId = typeof id === 'string' && id.length > 0 && id.length <= 256
    if (!isId || typeof expiresAt !== 'number' || Number.isNaN(expiresAt)) {
      this.log.error(
        'ackord: authenticate has to return an `id` of 1 to 256 characters, and `expiresAt` in ms or not at all',
      )
      throw new Refusal(503, 'UNAVAILABLE', 'authentication is not available now', 5)
    }
    if (expiresAt <= this.clock.wall()) throw new Refusal(401, 'UNAUTHORIZED', 'the token has expired')
    return identity
  }

  /**
   * An authenticated connection comes in: of the session's two the older one goes, whichever was authenticated first, then the
   * hooks see it. Throws to refuse.
   */
  async admit(connection: Connection): Promise<void> {
    const { user } = connection
    connection.sessionKey = sessionKey(user.id, connection.session)
    if (user.expiresAt !== undefined) {
      connection.expiresAt = this.clock.now() + user.expiresAt - this.clock.wall()
      // It was good when it was checked: the client may come back with a fresh one.
      if (connection.expiresAt <= this.clock.now()) return connection.close(CLOSE.TOKEN_EXPIRED)
    }
    connection.place.settle()
    const other = this.connections.ofSession(connection.sessionKey)
    if (other !== undefined && other.order > connection.order) return connection.close(CLOSE.FENCED)
    if (other === undefined && this.connections.countOfUser(user.id) >= this.settings.maxConnectionsPerUser)
      return connection.close(TOO_MANY)
    other?.close(CLOSE.FENCED)
    this.connections.add(connection)
    const { data } = this.definition.options
    if (typeof data === 'function') connection.data = data(user)
    for (const onConnect of this.#onConnect) {
      if (connection.phase === 'closed') return
      await onConnect(connection)
    }
  }

  /** The first frame of an open connection. PROTOCOL.md § Opening. */
  welcome(connection: Connection, hash: string): void {
    this.gateway.handshakes.delete(connection)
    this.gateway.heartbeat(this).start()
    this.gateway.expiry.watch(connection)
    connection.send([
      FRAMES.WELCOME.type,
      connection.session,
      {
        inFlight: this.settings.inFlight,
        bytes: this.settings.maxPayload,
        heartbeat: this.settings.heartbeat,
      },
      this.features,
      hash === this.contract.hash ? 'same' : 'other',
      Math.floor(this.clock.wall()),
    ])
  }

  /** An upgrade, or a plain GET that asked for the verdict, was refused: counts it and tells the hooks. */
  refused(refusal: Omit<RefuseInfo, 'mount'>): void {
    this.gateway.counters.refused.add(refusal.code)
    for (const hook of this.#onRefuse) this.tell('onRefuse', () => hook({ mount: this, ...refusal }))
  }

  /** A connection is too fast or too slow: counts it and tells the hooks. */
  backpressure(connection: Connection, what: Backpressure): void {
    this.gateway.counters[what]++
    for (const hook of this.#onBackpressure) this.tell('onBackpressure', () => hook(connection, what))
  }

  /** Calls a hook that only listens: what it throws, or rejects with, is logged. */
  tell(name: string, hook: () => unknown): void {
    const failed = (error: unknown): void =>
      this.log.error({ err: error, path: this.path }, `ackord: an ${name} hook threw`)
    try {
      const result = hook()
      // An async function fits where nothing is awaited; what it rejects with must not end the process.
      if (result instanceof Promise) result.catch(failed)
    } catch (error) {
      failed(error)
    }
  }

  /**
   * A user has no room for one more connection, whatever its session: each of their sessions may have one on the way that will
   * replace it. Which it is says only HELLO.
   */
  isFullFor(user: string): boolean {
    const count = this.connections.countOfUser(user) + this.expected.of(user)
    return count >= 2 * this.settings.maxConnectionsPerUser
  }

  /** A connection's life is over; its socket may still be closing. */
  gone(connection: Connection, info: DisconnectInfo): void {
    connection.place.settle()
    this.gateway.counters.closes.add(String(info.code))
    this.gateway.handshakes.delete(connection)
    if (!this.connections.delete(connection)) return
    for (const onDisconnect of this.#onDisconnect) void this.#disconnect(onDisconnect, connection, info)
  }

  // Rejects never. The hooks are not waited for: each begins in its turn.
  async #disconnect(
    hook: Hooks['onDisconnect'],
    connection: Connection,
    info: DisconnectInfo,
  ): Promise<void> {
    try {
      await hook(connection, info)
    } catch (error) {
      this.log.error({ err: error, connection: connection.id }, 'ackord: an onDisconnect hook threw')
    }
  }

  /** A connection's socket is closed. */
  closed(connection: Connection): void {
    connection.place.leave()
    this.gateway.sockets.delete(connection)
    this.gateway.progress(connection)
  }
}
