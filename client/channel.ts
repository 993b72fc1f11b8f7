/** One connection's frames out: the first flight, pacing, and who waits for which answer. PROTOCOL.md § First flight. */
import { jsonCodec } from '../contract/wire/codec.js'
import { FIRST_FLIGHT } from '../contract/wire/first-flight.js'
import type { ClientFrame, FrameOf, WireLimits } from '../contract/wire/frames.js'
import type { WebSocketLike } from './types.js'

/** What answers a CALL or JOIN. */
export type Answer = FrameOf<'ACK' | 'FAIL' | 'JOINED'>

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
  /** Nothing is sent any more, and nobody answered. */
  end(): void
  /**
   * Sends a CALL or JOIN: returns its seq, 0 while there is no room for it, -1 where it is too large for the server.
   * `answered` is called at most once.
   */
  request(frame: (seq: number) => ClientFrame, answered: (answer: Answer) => void): number
  answer(frame: Answer): void
  /** Sends any other frame; false where there is no connection or the frame is too large. */
  send(frame: ClientFrame): boolean
  /** Sends a call that nothing answers; dropped while the connection is not open, or its socket is full. False where too large. */
  cast(call: string, input: unknown): boolean
}

/** The only codec so far is one of text. */
export const encode = (frame: ClientFrame): string => jsonCodec.encode(frame) as string

const byteLength = (text: string): number => new TextEncoder().encode(text).length

/** Makes a channel that sends nothing yet. */
export function createChannel(): Channel {
  const waiting = new Map<number, (answer: Answer) => void>()
  let socket: WebSocketLike | undefined
  let limits: WireLimits | undefined
  let ledger: boolean | undefined
  let seq = 0
  let frames = 0
  let bytes = 0
  let held: string[] = []

  const transmit = (text: string): void => {
    frames++
    bytes += byteLength(text)
    socket?.send(text)
  }

  // LEAVE and CANCEL are smaller than any JOIN or CALL: where they have to wait for WELCOME, nothing overtakes them.
  const fits = (size: number): boolean => frames < FIRST_FLIGHT.frames && bytes + size <= FIRST_FLIGHT.bytes

  const send = (frame: ClientFrame): boolean => {
    const text = encode(frame)
    if (!socket || (limits && byteLength(text) > limits.bytes)) return false
    // Before WELCOME this takes a CALL or JOIN back, so there are never more that wait than requests in the first flight.
    if (limits || fits(byteLength(text))) transmit(text)
    else held.push(text)
    return true
  }

  return {
    start(opened, hello) {
      socket = opened
      transmit(encode(hello))
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
      socket = undefined
    },
    request(frame, answered) {
      if (!socket || waiting.size >= (limits ? limits.inFlight || 1 : FIRST_FLIGHT.frames)) return 0
      const text = encode(frame(seq + 1))
      const size = byteLength(text)
      if (limits) {
        if (size > limits.bytes) return -1
      } else if (!fits(size)) return 0
      waiting.set(++seq, answered)
      transmit(text)
      return seq
    },
    answer(frame) {
      const answered = waiting.get(frame[1])
      waiting.delete(frame[1])
      answered?.(frame)
    },
    send,
    cast: (call, input) =>
      !limits || (socket?.bufferedAmount ?? 0) > MAX_BUFFERED || send([2, ++seq, call, input]),
  }
}
