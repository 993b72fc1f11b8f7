/**
 * How the connections of an app end when it closes: told in batches, let go when nothing waits on them, cut at the grace
 * time. PROTOCOL.md § Drain; docs/decisions/drain.md.
 */
import type { Clock, Timer } from '../../contract/clock.js'
import { CLOSE, FRAMES } from '../../contract/wire/index.js'
import type { Connection } from './connection.js'
import { sendBeat } from './heartbeat.js'

/** How much of the grace time the clients have; the rest is for the closing handshakes. */
const CLIENTS_SHARE = 0.8
/** What is left then is cut: the sockets need a moment of the grace time to go, and the app to end behind them. */
const CUT_SHARE = 0.95
/** Within how much of the clients' time all of them are told. */
const TELLING_SHARE = 0.5
/** Connections that are told at once, at the least: fewer than these come back at once, too. */
const LEAST_BATCH = 50
/** Milliseconds from one batch to the next, on average: half to one and a half of it. */
const BATCH_MS = 100
/**
 * Probes behind GOAWAY that have to be answered, one after the other. The first answer may be a BEAT of the client's own that crossed
 * GOAWAY, and then there is no other (PROTOCOL.md § Heartbeat); it sends none so soon after.
 */
const PROBES = 2
/** Milliseconds without anybody leaving after which who came back here has nowhere else to go. */
const SETTLE_MS = 250

/** What a drain works with. */
export interface DrainHost {
  readonly clock: Clock
  /** Connections whose socket is not closed; it shrinks while they end. */
  readonly sockets: ReadonlySet<Connection>
  /** 0 ≤ n < 1. */
  readonly random: () => number
}

/** One drain of one app. */
export class Drain {
  readonly #host: DrainHost
  readonly #grace: number
  // Told, and to be closed as soon as nothing of them is in flight. At most one entry per connection.
  readonly #ending = new Set<Connection>()
  // Told by GOAWAY, and how many probes were sent behind it. At most one entry per connection.
  readonly #told = new Map<Connection, number>()
  #hooksEnded = false
  // Upgrades refused since it began, and when one was or a connection ended.
  #refused = 0
  #moved = 0
  #wake: (() => void) | undefined

  /** `grace`: milliseconds until every socket is closed or cut. */
  constructor(host: DrainHost, grace: number) {
    this.#host = host
    this.#grace = grace
  }

  /**
   * Resolves within the grace time, with how many connections had to be cut. `hooks`: no connection is closed before they have
   * ended, or their time is over; must not reject.
   */
  async run(hooks: Promise<unknown>): Promise<number> {
    const { clock, sockets, random } = this.#host
    const start = clock.now()
    const end = start + this.#grace * CUT_SHARE
    const cutOff = start + this.#grace * CLIENTS_SHARE
    void hooks.then(() => this.#afterHooks())

    const untold = [...sockets]
    const batches = Math.max(1, Math.floor((this.#grace * CLIENTS_SHARE * TELLING_SHARE) / BATCH_MS))
    const size = Math.max(LEAST_BATCH, Math.ceil(untold.length / batches))
    let told = 0
    while (!this.#isDone && clock.now() < cutOff) {
      const batch = untold.slice(told, told + size)
      told += size
      for (const connection of batch) this.#tell(connection, cutOff - clock.now())
      this.#probeAgain()
      this.#endStranded()
      await this.#wait(Math.min(BATCH_MS * (0.5 + random()), cutOff - clock.now()))
    }
    this.#hooksEnded = true
    for (const connection of sockets) connection.close(CLOSE.RESTART)
    await this.#wait(end - clock.now())
    const cut = sockets.size
    for (const connection of sockets) connection.terminate()
    return cut
  }

  /** A connection has nothing in flight any more, or its socket is closed. */
  progress(connection: Connection): void {
    if (!this.#host.sockets.has(connection)) {
      this.#ending.delete(connection)
      this.#told.delete(connection)
      this.#moved = this.#host.clock.now()
    } else if (this.#ending.has(connection)) {
      // Its last answer may be made behind this, in the same step.
      queueMicrotask(() => this.#endIfIdle(connection))
    }
    if (this.#isDone) this.#wake?.()
  }

  /** An upgrade was refused because the app closes: may be a client that was told to go, and has nowhere else to go. */
  refused(): void {
    this.#refused++
    this.#moved = this.#host.clock.now()
  }

  get #isDone(): boolean {
    return this.#hooksEnded && this.#host.sockets.size === 0
  }

  #afterHooks(): void {
    this.#hooksEnded = true
    for (const connection of this.#ending) this.#endIfIdle(connection)
    if (this.#isDone) this.#wake?.()
  }

  // Those that know GOAWAY leave by themselves: whatever they have sent until then is answered. The probe shows who has read it.
  #tell(connection: Connection, within: number): void {
    if (connection.phase !== 'open') return
    const knows = connection.features.includes('goaway')
    if (knows && connection.send([FRAMES.GOAWAY.type, 'restart', Math.ceil(within)], 'drop')) {
      connection.isMoving = true
      this.#told.set(connection, 0)
      this.#probe(connection)
      return
    }
    this.#ending.add(connection)
    this.#endIfIdle(connection)
  }

  #probeAgain(): void {
    for (const [connection, probes] of this.#told)
      if (probes < PROBES && connection.beats === 0) this.#probe(connection)
  }

  #probe(connection: Connection): void {
    if (sendBeat(connection)) this.#told.set(connection, (this.#told.get(connection) ?? 0) + 1)
  }

  #endIfIdle(connection: Connection): void {
    if (this.#hooksEnded && connection.requests.isIdle) connection.close(CLOSE.RESTART)
  }

  // Where there is no other node, each of them comes back to this one. Who has answered the probes has read GOAWAY and sends
  // nothing new: nothing is lost by ending it.
  #endStranded(): void {
    const { clock, sockets } = this.#host
    if (this.#refused < sockets.size || clock.now() - this.#moved < SETTLE_MS) return
    for (const [connection, probes] of this.#told)
      if (probes === PROBES && connection.beats === 0) this.#endIfIdle(connection)
  }

  // Until so many milliseconds are over or nothing is left.
  async #wait(ms: number): Promise<void> {
    if (this.#isDone || ms <= 0) return
    const { clock } = this.#host
    let timer: Timer | undefined
    await new Promise<void>((resolve) => {
      this.#wake = resolve
      timer = clock.setTimeout(resolve, ms)
    })
    this.#wake = undefined
    if (timer !== undefined) clock.clearTimeout(timer)
  }
}
