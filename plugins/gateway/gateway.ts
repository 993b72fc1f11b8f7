/** What the namespaces of one app share: paths, the turn, hooks, timers, and the way it all ends. */
import { randomBytes } from 'node:crypto'
import type { Server } from 'node:net'
// Taken at load, so that fake timers a user installs later do not hold up the end.
import { setImmediate } from 'node:timers'
import type { FastifyBaseLogger, FastifyInstance } from 'fastify'
import type { Clock, Timer } from '../../contract/clock.js'
import { CLOSE, FRAMES } from '../../contract/wire/index.js'
import { AckordError } from '../errors.js'
import type { Codecs } from './codecs.js'
import type { Connection } from './connection.js'
import { Counters } from './counters.js'
import { Degraded } from './degraded.js'
import { Drain } from './drain.js'
import { Expiry } from './expiry.js'
import { Caps } from './gate/caps.js'
import { HttpSockets } from './gate/http-sockets.js'
import { CLOSING } from './gate/refusal.js'
import type { PendingUpgrade } from './gate/upgrade.js'
import { Heartbeat } from './heartbeat.js'
import { HookTable } from './hooks.js'
import { Message } from './message.js'
import type { Mount, MountDefinition } from './mount.js'
import { type AckordOptions, appLimit, clockOf } from './options.js'
import { Timeouts } from './timeouts.js'
import { Turn } from './turn.js'

/** Milliseconds between two looks at what holds the server once it listens no more. */
const CUT_MS = 100

/** One per app. */
export class Gateway {
  readonly options: AckordOptions
  /** This node's name among all, new with each process. */
  readonly node = randomBytes(6).toString('base64url')
  readonly clock: Clock
  readonly hooks = new HookTable()
  readonly codecs: Codecs
  /** BEAT, the same bytes for everybody. */
  readonly beat: Message
  /** What clients are told while something that all nodes share is away. */
  readonly degraded: Degraded
  readonly counters = new Counters()
  readonly caps: Caps
  readonly turn: Turn
  /** By full path. */
  readonly paths = new Map<string, Mount>()
  readonly mounts = new Map<object, Mount>()
  /** Connections before WELCOME. */
  readonly handshakes: Timeouts<Connection>
  /** Connections whose socket is not yet closed. */
  readonly sockets = new Set<Connection>()
  /** Between their request and the 101. */
  readonly upgrades: Timeouts<PendingUpgrade>
  /** Ends connections with their tokens. */
  readonly expiry: Expiry
  /** Connections of the app's server that are still HTTP. */
  readonly http: HttpSockets
  closing = false

  readonly #server: Server
  readonly #log: FastifyBaseLogger
  readonly #grace: number
  readonly #heartbeats = new Map<number, Heartbeat>()
  readonly #drain: Drain
  #cutTimer: Timer | undefined
  #isStopped = false

  constructor(app: FastifyInstance, options: AckordOptions, codecs: Codecs) {
    this.options = options
    this.codecs = codecs
    this.beat = new Message(JSON.stringify([FRAMES.S_BEAT.type]), codecs.pack)
    this.degraded = new Degraded(this.sockets, codecs.pack)
    this.clock = clockOf(options)
    this.caps = new Caps(app.log, this.clock, options)
    this.#server = app.server
    this.#log = app.log
    this.http = new HttpSockets(app.server)
    this.expiry = new Expiry(this.clock, () => this.sockets)
    this.#grace = appLimit('grace', options)
    const { clock, sockets } = this
    this.#drain = new Drain({ clock, sockets, random: options.random ?? Math.random }, this.#grace)
    const writeFailed = (error: unknown): void => app.log.error({ err: error }, 'ackord: a write failed')
    this.turn = new Turn(writeFailed, options.groupedWrites)
    const opening = appLimit('handshakeTimeout', options)
    this.upgrades = new Timeouts(this.clock, opening, ({ socket }) => {
      this.caps.seldom.tell('handshakeTimeout', (unsaid) =>
        app.log.warn({ unsaid }, 'ackord: an upgrade was not decided in time'),
      )
      socket.destroy()
    })
    this.handshakes = new Timeouts(this.clock, opening, (connection) =>
      connection.close(CLOSE.HANDSHAKE_TIMEOUT),
    )
  }

  /** Takes a path for a namespace. Throws ACKORD_PATH_TAKEN or ACKORD_ALREADY_MOUNTED. */
  add(handle: object, mount: Mount): void {
    if (this.mounts.has(handle)) throw new AckordError('ACKORD_ALREADY_MOUNTED')
    if (this.paths.has(mount.path)) throw new AckordError('ACKORD_PATH_TAKEN', mount.path)
    this.mounts.set(handle, mount)
    this.paths.set(mount.path, mount)
  }

  /** Where a namespace is mounted. Throws ACKORD_NOT_MOUNTED. */
  mountOf(handle: object): Mount {
    const mount = this.mounts.get(handle)
    if (mount === undefined) throw new AckordError('ACKORD_NOT_MOUNTED')
    return mount
  }

  /** Counts a connection: its place among those of this node. */
  nextConnection(): number {
    return this.counters.accepted++
  }

  /** Unique among all nodes. */
  connectionId(order: number): string {
    return `${this.node}.${order.toString(36)}`
  }

  /** Namespaces with the same interval share a timer. */
  heartbeat(mount: Mount): Heartbeat {
    const { heartbeat: interval } = mount.settings
    let heartbeat = this.#heartbeats.get(interval)
    if (heartbeat === undefined) {
      heartbeat = new Heartbeat(this.clock, interval, () => this.#connectionsAt(interval))
      this.#heartbeats.set(interval, heartbeat)
    }
    return heartbeat
  }

  *#connectionsAt(interval: number): IterableIterator<Connection> {
    for (const mount of this.paths.values()) {
      if (mount.settings.heartbeat === interval) yield* mount.connections
    }
  }

  /**
   * Ends everything within the grace time: no upgrade is taken any more, clients are told to go, calls in flight may finish, and
   * what is left then is cut. `onError` is told of an onClose hook that failed.
   */
  async close(onError: (error: unknown) => void): Promise<void> {
    this.closing = true
    for (const upgrade of this.upgrades) upgrade.refuse(CLOSING)
    for (const connection of this.handshakes) connection.close(CLOSE.RESTART)
    const hooks = Promise.allSettled(this.hooks.of('onClose').map(async (hook) => hook())).then((results) => {
      for (const result of results) if (result.status === 'rejected') onError(result.reason)
    })
    const connections = this.sockets.size
    const start = this.clock.now()
    if (connections > 0)
      this.#log.info({ connections }, 'ackord: the app closes, its connections are told to go')
    const cut = await this.#drain.run(hooks)
    const ms = Math.round(this.clock.now() - start)
    if (connections > 0) this.#log.info({ connections, cut, ms }, 'ackord: all connections have ended')
    for (const heartbeat of this.#heartbeats.values()) heartbeat.stop()
    this.expiry.stop()
    this.caps.stop()
    setImmediate(this.#cutHttp)
  }

  /** The app is closed. */
  stop(): void {
    this.http.stop()
    if (this.#cutTimer !== undefined) this.clock.clearTimeout(this.#cutTimer)
    this.#isStopped = true
  }

  /** A connection has nothing in flight any more, or its socket is closed: `close` may go on. */
  progress(connection: Connection): void {
    this.#drain.progress(connection)
  }

  /** An upgrade was refused because the app closes. */
  refusedClosing(): void {
    this.#drain.refused()
  }

  // Fastify stops to listen after the last preClose hook, which need not be ours, and then waits for every connection.
  readonly #cutHttp = (): void => {
    if (this.#isStopped) return
    if (!this.#server.listening) this.http.cut()
    this.#cutTimer = this.clock.setTimeout(this.#cutHttp, CUT_MS)
  }
}

export type { MountDefinition }
