/** What the namespaces of one app count at their gate, and give back. docs/limits.md. */
import type { FastifyBaseLogger } from 'fastify'
import type { Clock } from '../../../contract/clock.js'
import { type AckordOptions, appLimit } from '../options.js'
import { addressKey } from './address.js'
import { Authentications } from './authentications.js'
import { Cap } from './cap.js'
import { Line } from './line.js'
import { eventLoopLag, Load } from './load.js'
import { Refusal } from './refusal.js'
import { Seldom } from './seldom.js'

/** Seconds: what is full now may have room soon, and not everybody comes back in the same second. */
const SOON = 5
/** Seconds: who is in stays for longer. */
const LATER = 30

/** One address may have at most one in so many of the connections that are not authenticated yet. */
const ANONYMOUS_SHARE = 4

/** The caps of a node. Nothing is counted that is not given back when its socket is closed. */
export class Caps {
  /** Sockets on the way to the 101 from Fastify's hooks on, and connections until their socket is closed; by address. */
  readonly connections: Cap
  /** Those of them whose token has not come, or is being checked; by address. */
  readonly anonymous: Cap
  readonly authentications: Authentications
  readonly load: Load
  /** Who has passed the cheap checks, until it is their turn. */
  readonly line: Line
  /** For warnings that a peer can cause at will. */
  readonly seldom: Seldom
  /** The same by Origin, which a peer can make up: they must not silence the others. */
  readonly origins: Seldom

  readonly #maxUpgrades: number
  readonly #log: FastifyBaseLogger
  #refused = 0
  // By option and seconds: to make one takes longer than to send it.
  readonly #refusals = new Map<string, Refusal>()

  constructor(log: FastifyBaseLogger, clock: Clock, options: AckordOptions) {
    this.#log = log
    this.#maxUpgrades = appLimit('maxUpgrades', options)
    const anonymous = appLimit('maxUnauthenticated', options)
    this.connections = new Cap(
      appLimit('maxConnections', options),
      appLimit('maxConnectionsPerAddress', options),
    )
    this.anonymous = new Cap(anonymous, Math.ceil(anonymous / ANONYMOUS_SHARE))
    this.authentications = new Authentications(
      clock,
      appLimit('maxAuthentications', options),
      appLimit('handshakeTimeout', options),
    )
    const lag = options.eventLoopLag
    const meter = lag === undefined ? eventLoopLag() : { read: lag, stop: () => {} }
    const maxLag = appLimit('maxLag', options)
    this.load = new Load(clock, maxLag, meter)
    this.line = new Line(clock, maxLag, this.#maxUpgrades)
    this.seldom = new Seldom(clock)
    this.origins = new Seldom(clock)
  }

  /** Why this node lets nobody in now, whoever it is, where so many upgrades are under way. */
  nodeRefusal(upgrades: number): Refusal | undefined {
    if (this.load.isLate) return this.#refuse(503, 'OVERLOADED', 'the server is too busy', SOON, 'maxLag')
    if (this.line.isLong)
      return this.#refuse(503, 'OVERLOADED', 'too many are coming in at once', SOON, 'maxLag')
    if (upgrades >= this.#maxUpgrades)
      return this.#refuse(503, 'OVERLOADED', 'too many are coming in at once', SOON, 'maxUpgrades')
    if (this.connections.isFull)
      return this.#refuse(503, 'FULL', 'the server is full', LATER, 'maxConnections')
    return undefined
  }

  /** Throws a Refusal where this node is full, or has too many of this address. */
  check(ip: string | undefined): void {
    if (this.connections.isFull)
      throw this.#refuse(503, 'FULL', 'the server is full', LATER, 'maxConnections')
    if (this.connections.isFullFor(addressKey(ip)))
      throw this.#refuse(
        429,
        'TOO_MANY_CONNECTIONS',
        'too many connections from this address',
        LATER,
        'maxConnectionsPerAddress',
        ip,
      )
  }

  /** Throws a Refusal where too many connections wait for their token. */
  checkAnonymous(ip: string | undefined): void {
    if (this.anonymous.isFull)
      throw this.#refuse(503, 'OVERLOADED', 'too many are coming in at once', SOON, 'maxUnauthenticated')
    if (this.anonymous.isFullFor(addressKey(ip)))
      throw this.#refuse(
        429,
        'TOO_MANY_CONNECTIONS',
        'too many unauthenticated connections from this address',
        SOON,
        'maxUnauthenticated',
        ip,
      )
  }

  /** Takes a place among the connections. Throws a Refusal. */
  enter(ip: string | undefined): Place {
    this.check(ip)
    return new Place(this, addressKey(ip))
  }

  /** Seconds after which somebody who is refused may ask again: 1 to `SOON`, not the same for all. */
  soon(): number {
    return 1 + (this.#refused++ % SOON)
  }

  /** Ends the measuring of the event loop. */
  stop(): void {
    this.load.stop()
  }

  #refuse(
    status: number,
    code: string,
    message: string,
    seconds: typeof SOON | typeof LATER,
    option: string,
    ip?: string,
  ): Refusal {
    this.seldom.tell(option, (unsaid) =>
      this.#log.warn(
        { code, option, ...(ip !== undefined && { ip }), unsaid },
        ip === undefined
          ? `ackord: upgrades are refused, ${message}`
          : `ackord: upgrades are refused, ${message}; behind a proxy, set Fastify's trustProxy`,
      ),
    )
    const retryAfter = seconds === SOON ? this.soon() : LATER
    const key = `${option} ${message} ${retryAfter}`
    let refusal = this.#refusals.get(key)
    if (refusal === undefined) {
      refusal = new Refusal(status, code, message, retryAfter)
      this.#refusals.set(key, refusal)
    }
    return refusal
  }
}

/** What one upgrade, and then its connection, has taken. */
export class Place {
  readonly #caps: Caps
  readonly #address: string | undefined
  #isAnonymous = false
  #hasLeft = false
  // Of a namespace: those whose user is known, and whose HELLO has not come.
  #expected: Cap | undefined
  #user = ''

  constructor(caps: Caps, address: string | undefined) {
    this.#caps = caps
    this.#address = address
    caps.connections.add(address)
  }

  /** Its token is still to come. */
  awaitToken(): void {
    if (this.#hasLeft) return
    this.#isAnonymous = true
    this.#caps.anonymous.add(this.#address)
  }

  /** It is known whose it will be. */
  expect(expected: Cap, user: string): void {
    if (this.#hasLeft) return
    this.#expected = expected
    this.#user = user
    expected.add(user)
  }

  /** Authenticated and counted elsewhere, or over. Safe to repeat. */
  settle(): void {
    if (this.#isAnonymous) this.#caps.anonymous.delete(this.#address)
    this.#isAnonymous = false
    this.#expected?.delete(this.#user)
    this.#expected = undefined
  }

  /** Its socket is closed. Safe to repeat. */
  leave(): void {
    if (this.#hasLeft) return
    this.settle()
    this.#hasLeft = true
    this.#caps.connections.delete(this.#address)
  }
}
