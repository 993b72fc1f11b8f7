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
import type { Connection } from './connection.js'
import { addressKey } from './gate/address.js'
import { Cap } from './gate/cap.js'
import { checkIdentity } from './gate/identity.js'
import { Refusal } from './gate/refusal.js'
import type { Gateway } from './gateway.js'
import { onBeat } from './heartbeat.js'
import type { DisconnectInfo, Hooks, Identity, UpgradeInfo } from './hooks.js'
import { Listeners } from './listeners.js'
import { checkNames } from './option-names.js'
import type { ResolvedSettings } from './options.js'
import { Registry, type SessionPlaces, sessionKey } from './registry.js'

/** Handles one kind of frame. A thrown Violation closes the connection with its code. */
export type FrameHandler<N extends FrameName> = (connection: Connection, frame: FrameOf<N>) => void

/** Finds out who a token belongs to. Throws a Refusal: 401, 403, or 503 where it cannot be found out now. */
export type Authenticator = (token: string | undefined, upgrade: UpgradeInfo) => Promise<Identity>

/** What `live.plugin({ … })` was given; a feature plugin takes its own by `mount.part`. */
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
  /** The hooks that only listen. */
  readonly listeners: Listeners
  /** Upgrades whose user is known and whose HELLO has not come, by user. */
  readonly expected = new Cap(Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY)
  /** Feature names for WELCOME. PROTOCOL.md § Growth. */
  readonly features: string[] = []
  /** Set by the auth plugin. */
  authenticator: Authenticator = NO_AUTHENTICATOR
  /** Finds a token that an upgrade carries. Set by the auth plugin. PROTOCOL.md § Tokens. */
  carriedToken: (request: FastifyRequest) => string | undefined = () => undefined
  /**
   * Asked before a connection that comes in takes anything, and again behind each promise that it gives. Closes who may not be here any
   * more. Set by the auth plugin.
   */
  vet: (connection: Connection) => Promise<void> | undefined = () => undefined
  /** Set by the auth plugin, where nodes share a Redis. */
  sessions: SessionPlaces | undefined
  /** How handlers see connections and rooms. Set by the namespace plugin. */
  surface: Surface = { rooms: undefined, connection: (connection) => connection }

  // Of `live.plugin({ … })`: what a feature plugin asked for.
  readonly #taken = new Set<string>()
  // By frame number; a frame nobody handles is a violation.
  readonly #frames: Array<((connection: Connection, frame: never) => void) | undefined> = []
  #onConnect: ReadonlyArray<Hooks['onConnect']> = []

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
    this.listeners = new Listeners(this)
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

  /** What `live.plugin({ … })` was given under a name; for `onMount`. What nobody asks for fails the start. */
  part(name: string): unknown {
    this.#taken.add(name)
    return this.definition.parts[name]
  }

  /** Runs the plugins' `onMount` and takes the hooks as they then are. Throws what they throw, and ACKORD_INVALID_OPTION. */
  async prepare(): Promise<void> {
    for (const onMount of this.gateway.hooks.of('onMount', this.path)) await onMount(this)
    checkNames(this.definition.parts, [...this.#taken], `part of live.plugin for ${this.path}`)
    this.#onConnect = this.gateway.hooks.of('onConnect', this.path)
    this.listeners.take()
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
    const asker = { isWanted, address: addressKey(upgrade.ip) }
    const identity = await authentications.run(async () => this.authenticator(token, upgrade), asker)
    checkIdentity(this, identity)
    return identity
  }

  /**
   * An authenticated connection comes in, if it was not revoked meanwhile: of the session's two the older one goes, whichever was
   * authenticated first, then the hooks see it. Throws to refuse.
   */
  async admit(connection: Connection): Promise<void> {
    const { user } = connection
    connection.sessionKey = sessionKey(user.id, connection.session)
    if (user.expiresAt !== undefined) {
      connection.expiresAt = this.clock.now() + user.expiresAt - this.clock.wall()
      // It was good when it was checked: the client may come back with a fresh one.
      if (connection.expiresAt <= this.clock.now()) return connection.close(CLOSE.TOKEN_EXPIRED)
    }
    connection.tokenId = user.tokenId
    const { sessions } = this
    if (sessions !== undefined) {
      const claim = await sessions.claim(connection)
      if (isClosed(connection)) return
      if (claim === 'fenced') return connection.close(CLOSE.FENCED)
      if (claim === 'full') return this.#tooMany(connection)
    }
    for (let check = this.vet(connection); check !== undefined; check = this.vet(connection)) await check
    if (isClosed(connection)) return
    connection.place.settle()
    const other = this.connections.ofSession(connection.sessionKey)
    if (other !== undefined && other.order > connection.order) return connection.close(CLOSE.FENCED)
    if (other === undefined && this.connections.countOfUser(user.id) >= this.settings.maxConnectionsPerUser)
      return this.#tooMany(connection)
    other?.close(CLOSE.FENCED)
    this.connections.add(connection)
    const { data } = this.definition.options
    if (typeof data === 'function') connection.data = data(connection.user)
    if (sessions !== undefined) await sessions.replace(connection)
    for (const onConnect of this.#onConnect) {
      if (isClosed(connection)) return
      await onConnect(connection)
    }
  }

  // Only HELLO says which session it is: this is where a user who has enough of them is refused.
  #tooMany(connection: Connection): void {
    const { id, upgradeInfo, user } = connection
    this.gateway.caps.seldom.tell('maxConnectionsPerUser', (unsaid) =>
      this.log.warn(
        { option: 'maxConnectionsPerUser', user: user.id, connection: id, unsaid },
        'ackord: connections are closed, too many of this user',
      ),
    )
    this.listeners.refused({ ip: upgradeInfo.ip, status: 429, code: 'TOO_MANY_CONNECTIONS' })
    connection.close(TOO_MANY)
  }

  /** The first frame of an open connection. PROTOCOL.md § Opening. */
  welcome(connection: Connection, hash: string): void {
    this.gateway.handshakes.delete(connection)
    this.gateway.heartbeat(this).start()
    this.gateway.expiry.watch(connection)
    connection.isSameContract = hash === this.contract.hash
    connection.send([
      FRAMES.WELCOME.type,
      connection.session,
      {
        inFlight: this.settings.inFlight,
        bytes: this.settings.maxPayload,
        heartbeat: this.settings.heartbeat,
      },
      this.features,
      connection.isSameContract ? 'same' : 'other',
      Math.floor(this.clock.wall()),
    ])
    this.gateway.degraded.welcomed(connection)
    this.sessions?.opened(connection)
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
    this.listeners.ended(info)
    this.gateway.handshakes.delete(connection)
    this.sessions?.release(connection)
    if (this.connections.delete(connection)) this.listeners.disconnected(connection, info)
  }

  /** A connection's socket is closed. */
  closed(connection: Connection): void {
    connection.place.leave()
    this.gateway.sockets.delete(connection)
    this.gateway.progress(connection)
  }
}

// A function, because a phase may change during an await, which narrowing cannot see.
const isClosed = ({ phase }: Connection): boolean => phase === 'closed'
