/** One connection's frames out: the first flight, pacing, and who waits for which answer. PROTOCOL.md § First flight. */
import type { Codec } from '../contract/wire/codec.js'
import { FIRST_FLIGHT } from '../contract/wire/first-flight.js'
import type { ClientFrame, FrameOf, WireLimits } from '../contract/wire/frames.js'
import type { WebSocketLike } from './types.js'

/** What answers a CALL or JOIN. */
export type Answer = FrameOf<'ACK' | 'FAIL' | 'ITEM' | 'JOINED'>

/** Bytes in a socket's own buffer above which volatile calls are dropped. */
const MAX_BUFFERED = 65_536

/** A connection from its first attempt to its end; the next one has a channel of its own. */
export interface Channel {
  /** The socket is open: sends the first frame. */
  start(socket: WebSocketLike, hello: FrameOf<'HELLO'>): void
  /** The server's limits hold from here. */
  welcome(frame: FrameOf<'WELCOME'>): void
  /** Whether the server keeps a ledger; `undefined` before WELCOME. */
  readonly ledger: boolean | undefined
  /** Whether it has a socket that is open. */
  readonly open: boolean
  /** Nothing is sent any more, and nobody answered. */
  end(): void
  /** Calls `idle` once nothing is in flight here and no ask waits for its answer: now, or after the last of them. */
  leave(idle: () => void): void
  /**
   * Sends a CALL or JOIN: returns its seq, 0 while there is no room for it, -1 where it is too large for the server.
   * `answered` is called at most once, after the items of a stream, which takes no room from the others.
   */
  request(frame: (seq: number) => ClientFrame, answered: (answer: Answer) => void, stream?: boolean): number
  /** False where nobody waits for it. */
  answer(frame: Answer): boolean
  /** The server asked; the ANSWER that is sent settles it. */
  asked(): void
  /** Sends any other frame; false where there is no connection or the frame is too large, PRESENCE also where the first flight has no room for it. */
  send(frame: ClientFrame): boolean
  /**
   * Sends a call that nothing answers; dropped while the connection is not open, or its socket is full. False where too large. Throws
   * what the codec cannot carry or a server would close for.
   */
  cast(call: string, input: unknown): boolean
}

/** A frame as it leaves. */
type Message = Parameters<WebSocketLike['send']>[0]

const utf8 = new TextEncoder()
const byteLength = (message: Message): number =>
  typeof message === 'string' ? utf8.encode(message).length : message.length
// A UTF-16 unit is three bytes at the most: few messages have to be measured.
const within = (message: Message, bytes: number): boolean =>
  message.length * 3 <= bytes || byteLength(message) <= bytes

/** Makes a channel that sends nothing yet. */
export function createChannel(codec: Codec): Channel {
  const encode = (frame: ClientFrame): Message => codec.encode(frame) as Message
  const waiting = new Map<number, (answer: Answer) => void>()
  // Those of them that are streams.
  const streams = new Set<number>()
  let socket: WebSocketLike | undefined
  let limits: WireLimits | undefined
  let ledger: boolean | undefined
  let seq = 0
  let frames = 0
  let bytes = 0
  let held: Message[] = []
  let asks = 0
  let left: (() => void) | undefined

  const settled = (): void => {
    if (waiting.size + asks === 0) left?.()
  }
  const transmit = (message: Message): void => {
    if (!limits) {
      frames++
      bytes += byteLength(message)
    }
    socket?.send(message)
  }

  /** Whether it may leave now: after WELCOME what is small enough, before it what the first flight has room for. */
  const fits = (message: Message): boolean =>
    limits
      ? within(message, limits.bytes)
      : frames < FIRST_FLIGHT.frames && within(message, FIRST_FLIGHT.bytes - bytes)

  const send = (frame: ClientFrame): boolean => {
    const message = encode(frame)
    if (!socket) return false
    if (fits(message)) transmit(message)
    else if (limits || frame[0] === 8) return false
    // Before WELCOME this is about a CALL or JOIN of the first flight, two for each at most: CREDIT, and what takes it back. LEAVE and
    // CANCEL are smaller than any JOIN or CALL: where they have to wait, nothing overtakes them.
    else held.push(message)
    if (frame[0] === 5) {
      asks--
      settled()
    }
    return true
  }

  return {
    start(opened, hello) {
      socket = opened
      transmit(encode(hello))
    },
    get open() {
      return socket !== undefined
    },
    get ledger() {
      return ledger
    },
    welcome([, , granted, features]) {
      limits = granted
      ledger = features.includes('once')
      held.forEach(transmit)
      held = []
    },
    end() {
      socket = left = undefined
    },
    leave(idle) {
      left = idle
      settled()
    },
    asked() {
      asks++
    },
    request(frame, answered, stream) {
      const inFlight = stream ? 0 : waiting.size - streams.size
      if (!socket || inFlight >= (limits ? limits.inFlight || 1 : FIRST_FLIGHT.frames)) return 0
      const message = encode(frame(seq + 1))
      if (!fits(message)) return limits ? -1 : 0
      waiting.set(++seq, answered)
      if (stream) streams.add(seq)
      transmit(message)
      return seq
    },
    answer(frame) {
      const answered = waiting.get(frame[1])
      if (frame[0] !== 20) {
        waiting.delete(frame[1])
        streams.delete(frame[1])
      }
      answered?.(frame)
      settled()
      return answered !== undefined
    },
    send,
    cast(call, input) {
      const message = encode([2, seq + 1, call, input ?? null])
      // What is dropped must not throw less than what is sent.
      codec.parse(message)
      if (!socket || !limits || (socket.bufferedAmount ?? 0) > MAX_BUFFERED) return true
      if (!fits(message)) return false
      seq++
      transmit(message)
      return true
    },
  }
}
