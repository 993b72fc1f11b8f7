/** One WebSocket of one authenticated user: hop 1 of a message's way in. PROTOCOL.md § Opening. */
import type { Duplex } from 'node:stream'
import type { RawData } from 'ws'
import {
  CLOSE,
  type ClientFrame,
  type CloseCode,
  type ServerFrame,
  Violation,
} from '../../contract/wire/index.js'
import type { ServedCodec } from './codecs.js'
import { DeflateOutlet, isCompressed } from './compression.js'
import type { Place } from './gate/caps.js'
import type { Identity, UpgradeInfo } from './hooks.js'
import type { Message, Pack } from './message.js'
import type { Mount } from './mount.js'
import { NOBODY, Opening } from './opening.js'
import { type Outlet, SocketOutlet } from './outlet.js'
import { Requests } from './requests.js'
import type { GatewaySocket } from './socket.js'
import type { Turn } from './turn.js'
import { type AtBound, Writer, type WriterHost } from './writer.js'

/** What feature plugins keep on a connection; each declares its own slot by declaration merging. */
// biome-ignore lint/suspicious/noEmptyInterface: an open list that plugins add to.
export interface ConnectionSlots {}

/** `opening`: before WELCOME. `closed`: nothing is read or sent any more. */
export type ConnectionPhase = 'hello' | 'opening' | 'open' | 'closed'

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
  /** Its client's contract is this one, or was so in HELLO: what breaks it is a fault, and not another version. Set with WELCOME. */
  isSameContract = false
  /** What the namespace's `data` made for this connection. */
  data: unknown
  /** Dropped once the connection is open, where its client does not bring fresh tokens. */
  upgrade: UpgradeInfo | undefined
  /** The clock's time at which the token ends. */
  expiresAt = Number.POSITIVE_INFINITY
  /** The clock's time at which a fresh token is asked for. */
  renewAt = Number.POSITIVE_INFINITY
  /** GOAWAY was sent: its client opens its next connection on another node, and leaves this one by itself. PROTOCOL.md § Moving. */
  isMoving = false
  /** Its session's next connection is open there: what is for the user goes to that one. */
  isReplaced = false
  /** Dropped once it is open. */
  opening: Opening | undefined = new Opening(this)
  readonly requests: Requests
  readonly slots: ConnectionSlots = {}

  /** Something was received since the heartbeat last looked. */
  heard = true
  /** How many looks of the heartbeat found silence, in and out. */
  silentIn = 0
  silentOut = 0
  /** How many BEATs of ours wait for their answer. */
  beats = 0

  readonly #socket: GatewaySocket
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
    this.requests = new Requests(this, socket)
    this.writer = new Writer(outletOf(mount, socket, stream), this)
    socket.serve(this)
  }

  /** Calls and joins that run, answered or not. */
  get inFlight(): number {
    return this.requests.inFlight
  }

  /** Streams whose generators run, answered or not. */
  get streams(): number {
    return this.requests.streams
  }

  /** Nothing is read from the peer for now: too much of it is under way. */
  get paused(): boolean {
    return this.requests.paused
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
    if (this.phase === 'closed') return
    this.mount.listeners.backpressure(this, 'closed')
    this.close(CLOSE.TRY_LATER)
  }

  /** For the writer. */
  onDrop(count: number): void {
    this.mount.listeners.backpressure(this, 'dropped', count)
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
      if (this.opening === undefined) this.mount.dispatch(this, frame)
      else this.opening.receive(frame, bytes.length)
    } catch (error) {
      this.#refuse(error)
    }
  }

  /** Hands on a frame that was held; nothing where the connection has ended. */
  dispatch(frame: ClientFrame): void {
    if (this.phase !== 'open') return
    try {
      this.mount.dispatch(this, frame)
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

  /** It is authenticated, and all hooks have let it in. */
  opened(): void {
    this.phase = 'open'
    this.opening = undefined
    if (!this.features.includes('token')) this.upgrade = undefined
  }

  /** The snapshot of the upgrade, while it is kept. */
  get upgradeInfo(): UpgradeInfo {
    if (this.upgrade === undefined)
      throw new Error('the upgrade is kept only until a connection is open, or where tokens are refreshed')
    return this.upgrade
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
    this.ended(CLOSE.ABNORMAL.code, CLOSE.ABNORMAL.reason, true)
  }

  /** The connection is over: releases what it held. Safe to repeat. */
  ended(code: number, reason: string, isOurs: boolean): void {
    if (this.phase === 'closed') return
    this.phase = 'closed'
    this.writer.end()
    this.opening = undefined
    this.requests.end()
    this.mount.gone(this, { code, reason, isOurs })
  }
}

function outletOf({ settings }: Mount, socket: GatewaySocket, stream: Duplex): Outlet {
  const { compression } = settings
  return compression !== undefined && isCompressed(socket)
    ? new DeflateOutlet(socket, compression)
    : new SocketOutlet(stream)
}

const NO_FEATURES: readonly string[] = Object.freeze([])
