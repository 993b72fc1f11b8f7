/** What the namespaces of one app share: paths, the turn, hooks, timers, and the way it all ends. */
import { randomBytes } from 'node:crypto'
import type { Duplex } from 'node:stream'
import type { FastifyInstance } from 'fastify'
import type { Clock, Timer } from '../../contract/clock.js'
import { CLOSE, HANDSHAKE_MS } from '../../contract/wire/index.js'
import { AckordError } from '../errors.js'
import type { Connection } from './connection.js'
import { Expiry } from './expiry.js'
import { Heartbeat } from './heartbeat.js'
import { HookTable } from './hooks.js'
import type { Mount, MountDefinition } from './mount.js'
import { type AckordOptions, bounded, clockOf } from './options.js'
import { Timeouts } from './timeouts.js'
import { Turn } from './turn.js'

/** How much of the grace time calls in flight may take; the rest is for the closing handshakes. */
const CALLS_SHARE = 0.8

/** One per app. */
export class Gateway {
  readonly options: AckordOptions
  readonly clock: Clock
  readonly hooks = new HookTable()
  readonly turn: Turn
  /** By full path. */
  readonly paths = new Map<string, Mount>()
  readonly mounts = new Map<object, Mount>()
  /** Connections before WELCOME. */
  readonly handshakes: Timeouts<Connection>
  /** Connections whose socket is not yet closed. */
  readonly sockets = new Set<Connection>()
  /** Sockets between their upgrade request and the 101. */
  readonly upgrades: Timeouts<Duplex>
  /** Ends connections with their tokens. */
  readonly expiry: Expiry
  closing = false

  readonly #grace: number
  readonly #node = randomBytes(6).toString('base64url')
  readonly #heartbeats = new Map<number, Heartbeat>()
  #connectionCount = 0
  // While closing: connections with calls in flight, and what looks whether the wait is over.
  readonly #busy = new Set<Connection>()
  #wake: (() => void) | undefined

  constructor(app: FastifyInstance, options: AckordOptions) {
    this.options = options
    this.clock = clockOf(options)
    this.expiry = new Expiry(this.clock, () => this.sockets)
    this.#grace = bounded('grace', options.grace, [5000, 0, 300_000])
    const writeFailed = (error: unknown): void => app.log.error({ err: error }, 'ackord: a write failed')
    this.turn = new Turn(writeFailed, options.groupedWrites)
    const opening = bounded('handshakeTimeout', options.handshakeTimeout, [HANDSHAKE_MS, 100, 60_000])
    this.upgrades = new Timeouts(this.clock, opening, (socket) => {
      app.log.warn('ackord: an upgrade was not decided in time')
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
    return this.#connectionCount++
  }

  /** Unique among all nodes. */
  connectionId(order: number): string {
    return `${this.#node}.${order.toString(36)}`
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
   * Ends everything within the grace time: no upgrade is taken any more, calls in flight may finish, connections
   * get 1012, and what is left then is cut.
   */
  async close(onError: (error: unknown) => void): Promise<void> {
    this.closing = true
    for (const socket of this.upgrades) socket.destroy()
    for (const connection of this.handshakes) connection.close(CLOSE.RESTART)
    const hooks = Promise.allSettled(this.hooks.of('onClose').map(async (hook) => hook())).then((results) => {
      for (const result of results) if (result.status === 'rejected') onError(result.reason)
    })
    for (const connection of this.sockets) if (connection.inFlight > 0) this.#busy.add(connection)
    const end = this.clock.now() + this.#grace
    await this.#within(this.#grace * CALLS_SHARE, () => this.#busy.size === 0, hooks)
    for (const connection of this.sockets) connection.close(CLOSE.RESTART)
    await this.#within(end - this.clock.now(), () => this.sockets.size === 0)
    for (const connection of this.sockets) connection.terminate()
    for (const heartbeat of this.#heartbeats.values()) heartbeat.stop()
    this.expiry.stop()
  }

  /** A connection answered its last call, or its socket is closed: `close` may go on. */
  progress(connection: Connection): void {
    this.#busy.delete(connection)
    this.#wake?.()
  }

  // Waits until `done` and `also`, or so many milliseconds are over.
  async #within(ms: number, done: () => boolean, also?: Promise<unknown>): Promise<void> {
    let timer: Timer | undefined
    const late = new Promise<void>((resolve) => {
      timer = this.clock.setTimeout(resolve, ms)
    })
    const reached = new Promise<void>((resolve) => {
      this.#wake = () => done() && resolve()
      this.#wake()
    })
    await Promise.race([late, Promise.all([reached, also])])
    this.#wake = undefined
    if (timer !== undefined) this.clock.clearTimeout(timer)
  }
}

export type { MountDefinition }
