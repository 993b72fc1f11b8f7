/** One connection, from its dial to its end. PROTOCOL.md § Opening. */
import { retryOf } from '../contract/wire/close-codes.js'
import { serverFrameReader } from '../contract/wire/codec.js'
import type { FrameOf, ServerFrame } from '../contract/wire/frames.js'
import { createAlarm } from './alarm.js'
import { delayOf } from './backoff.js'
import { type Channel, createChannel } from './channel.js'
import { host, socketUrl } from './host.js'
import type { Settings } from './settings.js'
import { CLOSED_BY_APPLICATION, type Loss } from './state.js'
import type { FetchLike, WebSocketLike } from './types.js'
import { askVerdict } from './verdict.js'
import { createWatchdog } from './watchdog.js'

/** What a line tells whoever made it. */
export interface Owner {
  /** A fresh token; null where none is needed. */
  token(): Promise<string | null>
  /** What the line says first. */
  hello(token: string | null): FrameOf<'HELLO'>
  /** HELLO has left: what waits may follow it. */
  started(line: Line): void
  /** WELCOME came. Told once. */
  welcome(line: Line): void
  /** A call or join was answered: there may be room for what waits. */
  answered(line: Line): void
  /** A frame that is not the line's own business. */
  receive(line: Line, frame: ServerFrame): void
  /** It ended, or never began. Drop it. */
  lost(line: Line, loss: Loss): void
}

/** A connection. */
export interface Line {
  readonly channel: Channel
  /** The server has run nothing of what was sent here. */
  readonly untouched: boolean
  /** Fetches a token and opens a socket. */
  dial(): void
  /** Closes the socket, wherever it is, and hears no more of it. */
  drop(code: number, reason: string): void
  /** Closes the socket as the application wishes, sends nothing more and waits for its end. False where there is no socket. */
  hangUp(): boolean
}

/** Makes a line that does nothing yet. */
export function createLine(url: string, settings: Settings, owner: Owner): Line {
  const { options, codec, fetch, rules, clock, random, report } = settings
  const readFrame = serverFrameReader(codec)
  const channel = createChannel(codec)
  const refreshing = createAlarm(clock)
  const abort = new AbortController()
  let socket: WebSocketLike | undefined
  let untouched = false
  let over = false
  let asking = false

  const lose = (code: number, reason: string, retry: Loss['retry']): void =>
    owner.lost(line, { code, reason, retry })
  const watchdog = createWatchdog(
    clock,
    () => channel.send([10]),
    () => lose(4000, 'no BEAT in time', 'now'),
  )

  /** Nothing goes out any more, and what was begun here finds that it is over. */
  function silence(): void {
    over = true
    watchdog.stop()
    refreshing.stop()
    abort.abort()
    channel.end()
  }

  async function dial(): Promise<void> {
    let token: string | null
    try {
      token = await owner.token()
    } catch {
      // It was told to the application already.
      if (!over) lose(1006, 'token() failed', 'backoff')
      return
    }
    if (over) return
    try {
      const Socket = options.WebSocket ?? host.WebSocket
      if (!Socket)
        throw new TypeError("no WebSocket here, pass one as an option (import { WebSocket } from 'ws')")
      listen(new Socket(socketUrl(url), [codec.subprotocol]), token)
    } catch (error) {
      report(error)
      lose(1006, 'no WebSocket for this address', 'never')
    }
  }

  function listen(made: WebSocketLike, token: string | null): void {
    let opened = false
    socket = made
    made.binaryType = 'arraybuffer'
    made.onopen = () => {
      opened = true
      channel.start(made, owner.hello(token))
      owner.started(line)
    }
    made.onmessage = (message: { data: string | ArrayBuffer }) => read(message.data)
    made.onclose = ({ code, reason }: { code: number; reason: string }) => {
      // WELCOME goes before anything is run: a Close of the server's own that overtook it turned us away at the door.
      untouched = channel.ledger === undefined && (code >= 4000 || code === 1012 || code === 1013)
      const loss = { code, reason, retry: retryOf(code) }
      if (opened || over || !fetch) owner.lost(line, loss)
      else void turnedAway(fetch, loss)
    }
    // The close that follows tells all there is to know; ws throws where nobody listens.
    made.onerror = () => {}
  }

  async function turnedAway(fetch: FetchLike, loss: Loss): Promise<void> {
    socket = undefined
    const credentials = options.token ? 'same-origin' : 'include'
    const verdict = await askVerdict(fetch, url, codec.subprotocol, credentials, abort.signal)
    owner.lost(line, verdict ?? loss)
  }

  function read(data: string | ArrayBuffer): void {
    if (over) return
    watchdog.heard()
    const frame = readFrame(typeof data === 'string' ? data : new Uint8Array(data))
    if (typeof frame === 'number') {
      report(
        new TypeError(`the server sent what is no frame of this protocol: ${String(data).slice(0, 200)}`),
      )
      lose(Math.max(frame, 4500), 'the server broke the protocol', 'slow')
    } else if (frame) receive(frame)
  }

  function receive(frame: ServerFrame): void {
    switch (frame[0]) {
      case 17:
        if (channel.ledger !== undefined) break
        channel.welcome(frame)
        watchdog.start(frame[2].heartbeat)
        owner.welcome(line)
        break
      case 18:
      case 19:
      case 20:
      case 22:
        if (!channel.answer(frame)) owner.receive(line, frame)
        else if (frame[0] !== 20) owner.answered(line)
        break
      case 25:
        if (frame[1] === 'wanted' && !asking) refresh(0)
        break
      case 26:
        if (watchdog.wantsAnswer()) channel.send([10])
        break
      default:
        owner.receive(line, frame)
    }
  }

  /** Until there is a token, or the line has ended: where nobody answers, the server ends it. */
  function refresh(failures: number): void {
    asking = true
    owner.token().then(
      (token) => {
        asking = false
        if (token !== null) channel.send([9, token])
      },
      () => {
        if (over) return
        refreshing.set(delayOf(rules, failures, random()), () => refresh(failures + 1))
      },
    )
  }

  const line: Line = {
    channel,
    get untouched() {
      return untouched
    },
    dial: () => void dial(),
    drop(code, reason) {
      if (socket) {
        socket.onopen = socket.onmessage = socket.onclose = null
        // A browser takes no code below 3000 but 1000. Where the peer has closed already this does nothing.
        socket.close(code < 4000 ? 1000 : code, reason)
      }
      socket = undefined
      silence()
    },
    hangUp() {
      silence()
      socket?.close(CLOSED_BY_APPLICATION.code, CLOSED_BY_APPLICATION.reason)
      return socket !== undefined
    },
  }
  return line
}
