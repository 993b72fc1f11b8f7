/** One WebSocket of one authenticated user: hop 1 of a message's way in. PROTOCOL.md § Opening. */
import type { Duplex } from 'node:stream'
import type { RawData } from 'ws'
import {
  CLOSE,
  type ClientFrame,
  type CloseCode,
  FEATURES,
  FRAMES,
  type FrameOf,
  type ServerFrame,
  Violation,
} from '../../contract/wire/index.js'
import type { Place } from './caps.js'
import type { ServedCodec } from './codecs.js'
import { DeflateOutlet, isCompressed } from './compression.js'
import { FirstFlight } from './first-flight.js'
import type { Identity, UpgradeInfo } from './hooks.js'
import type { Message, Pack } from './message.js'
import type { Mount } from './mount.js'
import { type Outlet, SocketOutlet } from './outlet.js'
import { closeCodeOf, Refusal } from './refusal.js'
import type { GatewaySocket } from './socket.js'
import type { Turn } from './turn.js'
import { type AtBound, Writer, type WriterHost } from './writer.js'

/** What feature plugins keep on a connection; each declares its own slot by declaration merging. */
// biome-ignore lint/suspicious/noEmptyInterface: an open list that plugins add to.
export interface ConnectionSlots {}

/** A call or join that waits for its answer. */
export interface Request {
  /** The client no longer wants it, or is gone. */
  cancel(): void
}

/** `opening`: before WELCOME. `closed`: nothing is read or sent any more. */
export type ConnectionPhase = 'hello' | 'opening' | 'open' | 'closed'

/** Answers OVERLOADED beyond this many times `inFlight`. PROTOCOL.md § First flight. */
const OVERLOAD = 4
const SESSION = /^[\w-]{1,64}$/

/** A connection from its 101 to its end. */
export class Connection implements WriterHost {
  /** Unique among all nodes. */
  readonly id: string
  /** Its place among the connections of this node: the younger has the higher. */
  readonly order: number
  readonly mount: Mount
  /** What it takes of the caps of this node. */
  readonly place: Place
  readonly writer: Writer
  /** What the subprotocol of this connection is. */
  readonly codec: ServedCodec
  /** Milliseconds since 1970 when it was opened. */
  readonly since: number
  phase: ConnectionPhase = 'hello'
  /** Of one page load or process of a client, across its reconnects; empty before HELLO. */
  session = ''
  /** The session of its user: what names a client across its connections. Set with `user`. */
  sessionKey = ''
  /** Set before any hook or handler sees the connection. */
  user: Identity = NOBODY
  /** What names its token; kept by the registry. */
  tokenId: string | undefined
  /** What its client can do, as named in HELLO. PROTOCOL.md § Growth. */
  features: readonly string[] = NO_FEATURES
  /** What the namespace's `data` made for this connection. */
  data: unknown
  /** Dropped once the connection is open, where its client does not bring fresh tokens. */
  upgrade: UpgradeInfo | undefined
  /** The clock's time at which the token ends. */
  expiresAt = Number.POSITIVE_INFINITY
  /** The clock's time at which a fresh token is asked for. */
  renewAt = Number.POSITIVE_INFINITY
  /** Calls and joins that run, answered or not. */
  inFlight = 0
  /** Streams whose generators run, answered or not. */
  streams = 0
  readonly slots: ConnectionSlots = {}

  /** Something was received since the heartbeat last looked. */
  heard = true
  /** How many looks of the heartbeat found silence, in and out. */
  silentIn = 0
  silentOut = 0
  /** How many BEATs of ours wait for their answer. */
  beats = 0

  readonly #socket: GatewaySocket
  #requests: Map<number, Request> | undefined
  #held: FirstFlight | undefined = new FirstFlight()

  /** `identity` is known where the upgrade carried a token. */
  constructor(
    mount: Mount,
    socket: GatewaySocket,
    stream: Duplex,
    upgrade: UpgradeInfo,
    identity: Identity | undefined,
    place: Place,
  ) {
    this.mount = mount
    this.place = place
    this.order = mount.gateway.nextConnection()
    this.id = mount.gateway.connectionId(this.order)
    this.since = mount.clock.wall()
    this.upgrade = upgrade
    this.codec = mount.gateway.codecs.of(upgrade.protocol)
    if (identity !== undefined) this.user = identity
    this.#socket = socket
    this.writer = new Writer(outletOf(mount, socket, stream), this)
    socket.serve(this)
  }

  /** For the writer. */
  get turn(): Turn {
    return this.mount.gateway.turn
  }

  /** For the writer. */
  get maxBuffered(): number {
    return this.mount.settings.maxBuffered
  }

  /** For the writer: a peer that does not read ends here and comes back. PROTOCOL.md § Close codes. */
  onOverflow(): void {
    this.mount.backpressure(this, 'closed')
    this.close(CLOSE.TRY_LATER)
  }

  /** For the writer. */
  onDrop(): void {
    this.mount.backpressure(this, 'dropped')
  }

  /** Decodes one message and hands it on; a violation closes with its code. */
  receive(data: RawData, isBinary: boolean): void {
    if (this.phase === 'closed') return
    this.heard = true
    // The timer for it may be late. The time is not asked for where there is no end.
    if (
      this.phase === 'open' &&
      this.expiresAt < Number.POSITIVE_INFINITY &&
      this.mount.clock.now() >= this.expiresAt
    ) {
      this.close(CLOSE.TOKEN_EXPIRED)
      return
    }
    // With `ws`'s default binaryType a message is one Buffer.
    const bytes = data as Buffer
    try {
      const frame = this.codec.decode(isBinary ? bytes : bytes.toString())
      if (frame === undefined) return
      if (this.phase === 'open') this.mount.dispatch(this, frame)
      else this.#beforeOpen(frame, bytes.length)
    } catch (error) {
      this.#refuse(error)
    }
  }

  // A frame could not be handled: for a violation that is the client's fault, for anything else ours.
  #refuse(error: unknown): void {
    if (error instanceof Violation) {
      this.close(error.close)
      return
    }
    this.mount.log.error({ err: error, connection: this.id }, 'ackord: a frame could not be handled')
    this.close(CLOSE.SERVER_ERROR)
  }

  #beforeOpen(frame: ClientFrame, bytes: number): void {
    if (this.phase === 'hello') {
      if (frame[0] !== FRAMES.HELLO.type) throw new Violation(CLOSE.UNEXPECTED_FRAME)
      if (!SESSION.test(frame[1])) throw new Violation(CLOSE.MALFORMED)
      // Rejects never: what fails on the way closes the connection.
      void this.#open(frame)
      return
    }
    if (frame[0] === FRAMES.HELLO.type) throw new Violation(CLOSE.UNEXPECTED_FRAME)
    if (frame[0] === FRAMES.BEAT.type) return
    this.#held?.hold(frame, bytes)
    this.#regulate()
  }

  async #open(hello: FrameOf<'HELLO'>): Promise<void> {
    const [, session, hash, , features, token] = hello
    this.phase = 'opening'
    this.session = session
    // The names as we write them, once each: what else a peer names is not kept for it.
    if (features.length > 0) this.features = KNOWN_FEATURES.filter((name) => features.includes(name))
    try {
      if (this.user === NOBODY)
        this.user = await this.mount.authenticate(token ?? undefined, this.upgradeInfo, () => !this.#ended())
      if (this.#ended()) return
      await this.mount.admit(this)
    } catch (error) {
      this.close(this.#closeFor(error))
      return
    }
    if (this.#ended()) return
    if (!this.features.includes('token')) this.upgrade = undefined
    this.phase = 'open'
    this.mount.welcome(this, hash)
    this.#release()
  }

  /** The snapshot of the upgrade, while it is kept. */
  get upgradeInfo(): UpgradeInfo {
    if (this.upgrade === undefined)
      throw new Error('the upgrade is kept only until a connection is open, or where tokens are refreshed')
    return this.upgrade
  }

  // The phase may have changed during an await, which narrowing cannot see.
  #ended(): boolean {
    return this.phase === 'closed'
  }

  #closeFor(error: unknown): CloseCode {
    if (error instanceof Refusal) return closeCodeOf(error)
    this.mount.log.error({ err: error, connection: this.id }, 'ackord: a connection could not be opened')
    return CLOSE.SERVER_ERROR
  }

  #release(): void {
    const held = this.#held?.frames ?? []
    this.#held = undefined
    for (const frame of held) {
      if (this.phase !== 'open') return
      try {
        this.mount.dispatch(this, frame)
      } catch (error) {
        this.#refuse(error)
      }
    }
    this.#regulate()
  }

  /**
   * Takes a seq for a call or join that will be answered. Throws a Violation where the seq waits already; false where
   * the connection has too much under way and the request must be refused.
   */
  begin(seq: number, request: Request): boolean {
    const requests = this.#free(seq)
    if (!this.beginUnanswered()) return false
    requests.set(seq, request)
    return true
  }

  /** `begin` for a stream, which has a bound of its own: a paused socket could never read its CREDIT. */
  beginStream(seq: number, request: Request): boolean {
    const requests = this.#free(seq)
    if (this.streams >= this.mount.settings.maxStreams) {
      this.mount.backpressure(this, 'overloaded')
      return false
    }
    this.streams++
    requests.set(seq, request)
    return true
  }

  #free(seq: number): Map<number, Request> {
    this.#requests ??= new Map()
    if (this.#requests.has(seq)) throw new Violation(CLOSE.DUPLICATE_SEQ)
    return this.#requests
  }

  /** Counts what runs without an answer; false where the connection has too much under way. */
  beginUnanswered(): boolean {
    if (this.inFlight >= OVERLOAD * this.mount.settings.inFlight) {
      this.mount.backpressure(this, 'overloaded')
      return false
    }
    this.inFlight++
    this.#regulate()
    return true
  }

  /** What waits under a seq. */
  request(seq: number): Request | undefined {
    return this.#requests?.get(seq)
  }

  /** Gives a seq its answer: true once, false where it was answered or the connection ended. */
  settle(seq: number): boolean {
    return this.#requests?.delete(seq) === true && this.phase !== 'closed'
  }

  /** What `begin` counted no longer runs. */
  finish(): void {
    this.inFlight--
    if (this.#socket.isPaused) this.#regulate()
    if (this.inFlight === 0 && this.mount.gateway.closing) this.mount.gateway.progress(this)
  }

  /** What `beginStream` counted no longer runs. */
  finishStream(): void {
    this.streams--
    if (this.mount.gateway.closing) this.mount.gateway.progress(this)
  }

  /** Nothing is read from the peer for now: too much of it is under way. */
  get paused(): boolean {
    return this.#socket.isPaused
  }

  // A paused socket is the only brake on a peer: its own TCP window fills. One that keeps to what WELCOME grants is always
  // read: its CANCEL, ANSWER and Close stand behind its calls.
  #regulate(): void {
    if (this.phase === 'closed') return
    const full = this.inFlight > this.mount.settings.inFlight || this.#held?.full === true
    if (full !== this.#socket.isPaused) {
      if (full) {
        this.#socket.pause()
        this.mount.backpressure(this, 'paused')
      } else this.#socket.resume()
    }
  }

  /** Queues one frame. See `Writer.send`. */
  send(frame: ServerFrame, atBound: AtBound = 'close'): boolean {
    return this.writer.send(this.codec.encode(frame), atBound)
  }

  /** Queues one frame that is there as text; `pack` makes its binary form where its payload may hold bytes. */
  sendText(text: string, pack: Pack = this.mount.gateway.codecs.pack, atBound: AtBound = 'close'): boolean {
    return this.writer.send(this.codec.binary ? pack(text) : text, atBound)
  }

  /** Queues one frame that others get as well. */
  sendMessage(message: Message, atBound: AtBound = 'close'): boolean {
    return this.writer.sendFrames(message.frame(this.codec.binary), atBound)
  }

  /** Ends the connection: what is queued leaves first, then Close. Everything it held is released at once. */
  close(code: CloseCode): void {
    if (this.phase === 'closed') return
    // A paused socket would never see the peer's answer.
    if (this.#socket.isPaused) this.#socket.resume()
    this.#socket.close(code.code, code.reason)
  }

  /** Ends without waiting for anybody. */
  terminate(): void {
    this.#socket.terminate()
    this.ended(CLOSE.ABNORMAL.code, CLOSE.ABNORMAL.reason)
  }

  /** The connection is over: releases what it held. Safe to repeat. */
  ended(code: number, reason: string): void {
    if (this.phase === 'closed') return
    this.phase = 'closed'
    this.writer.end()
    this.#held = undefined
    const waiting = this.#requests
    this.#requests = undefined
    for (const request of waiting?.values() ?? []) request.cancel()
    this.mount.gone(this, { code, reason })
  }
}

function outletOf({ settings }: Mount, socket: GatewaySocket, stream: Duplex): Outlet {
  const { compression } = settings
  return compression !== undefined && isCompressed(socket)
    ? new DeflateOutlet(socket, compression)
    : new SocketOutlet(stream)
}

/** The identity before authentication; compared by reference, never shown to the application. */
const NOBODY: Identity = Object.freeze({ id: '' })

const KNOWN_FEATURES: readonly string[] = Object.keys(FEATURES)
const NO_FEATURES: readonly string[] = Object.freeze([])
