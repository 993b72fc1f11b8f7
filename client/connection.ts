/** Drives a socket by the effects of state.ts: opening, frames in, and the end. PROTOCOL.md § Opening. */
import { retryOf } from '../contract/wire/close-codes.js'
import { jsonCodec, serverFrameReader } from '../contract/wire/codec.js'
import type { ServerFrame } from '../contract/wire/frames.js'
import { createAlarm } from './alarm.js'
import { type Channel, createChannel } from './channel.js'
import { createId, host, socketUrl } from './host.js'
import { createNotice } from './listeners.js'
import type { Settings } from './settings.js'
import { type Effect, type Event, IDLE, type Loss, type State, transition } from './state.js'
import type { Connection, ConnectionState, Descriptor, WebSocketLike } from './types.js'
import { createWatchdog } from './watchdog.js'

/** What a connection tells the rest of the client. */
export interface Parts {
  /** A frame that is neither an answer nor the connection's own business. */
  receive(frame: ServerFrame): void
  /** There may be room: sends what waits, in order. */
  flush(): void
  /**
   * What was in flight is lost; `state` tells how it goes on. `untouched`: the server has run none of it. Runs no code of the
   * application.
   */
  down(state: State, untouched: boolean): void
}

/** A connection as the parts of a client see it. */
export interface Link extends Connection {
  get(): State
  /** Connects if nothing has yet. */
  need(): void
  /** Ends for good. */
  close(): void
  /** Where frames go; another one after each loss. */
  readonly channel: Channel
}

/** Makes a connection that does nothing yet. */
export function createConnection(
  { hash, version }: Descriptor,
  url: string,
  { options, rules, clock, random, report }: Settings,
  parts: Parts,
): Link {
  const readFrame = serverFrameReader(jsonCodec)
  const notice = createNotice(report)
  const alarm = createAlarm(clock)
  let state: State = IDLE
  let channel = createChannel()
  let socket: WebSocketLike | undefined
  let session = ''
  let untouched = false

  const watchdog = createWatchdog(
    clock,
    () => channel.send([10]),
    () => lose({ code: 4000, reason: 'no BEAT in time', retry: 'now' }),
  )
  const lose = (loss: Loss): void => dispatch({ type: 'lost', roll: random(), ...loss })
  const connect = (...from: ConnectionState[]): void => dispatch({ type: 'connect', from })
  const online = (): void => connect('waiting')

  function dispatch(event: Event): void {
    const [next, effects = [], timer] = transition(state, event, rules)
    if (next === state) return
    state = next
    alarm.stop()
    if (timer !== undefined) alarm.set(timer, () => dispatch({ type: 'timer', roll: random() }))
    for (const effect of effects) run[effect]()
    notice.changed()
  }

  const run: Record<Effect, () => void> = {
    dial() {
      host.addEventListener?.('online', online)
      untouched = false
      void dial(channel)
    },
    drop() {
      if (socket) {
        socket.onopen = socket.onmessage = socket.onclose = null
        const { code, reason } = state.closed ?? { code: 1000, reason: '' }
        // A browser takes no code below 3000 but 1000. Where the peer has closed already this does nothing.
        socket.close(code < 4000 ? 1000 : code, reason)
      }
      socket = undefined
      silence()
    },
    hangUp() {
      host.removeEventListener?.('online', online)
      silence()
      if (socket) socket.close(1000, state.closed?.reason)
      else lose({ code: 1000, reason: '', retry: 'never' })
    },
    down: () => parts.down(state, untouched),
  }

  /** Nothing goes out any more, and what was begun on this connection finds that it is over. */
  function silence(): void {
    watchdog.stop()
    channel.end()
    channel = createChannel()
  }

  async function askToken(): Promise<string | null> {
    const token: unknown = (await options.token?.()) ?? null
    if (token !== null && typeof token !== 'string') throw new TypeError('token() must return a string')
    return token
  }

  async function dial(mine: Channel): Promise<void> {
    let retry: Loss['retry'] = 'backoff'
    try {
      const token = await askToken()
      if (mine !== channel) return
      retry = 'never'
      const Socket = options.WebSocket ?? host.WebSocket
      if (!Socket)
        throw new TypeError("no WebSocket here, pass one as an option (import { WebSocket } from 'ws')")
      listen(new Socket(socketUrl(url), [jsonCodec.subprotocol]), token)
    } catch (error) {
      report(error)
      if (mine === channel) lose({ code: 1006, reason: String(error), retry })
    }
  }

  function listen(made: WebSocketLike, token: string | null): void {
    socket = made
    made.binaryType = 'arraybuffer'
    made.onopen = () => {
      session ||= createId(random)
      channel.start(made, [1, session, hash, version, ['once'], token])
      parts.flush()
    }
    made.onmessage = (message: { data: string }) => read(message.data)
    made.onclose = ({ code, reason }: { code: number; reason: string }) => {
      // WELCOME goes before anything is run: a Close of the server's own that overtook it turned us away at the door.
      untouched = channel.ledger === undefined && code >= 4000
      lose({ code, reason, retry: retryOf(code) })
    }
    // The close that follows tells all there is to know; ws throws where nobody listens.
    made.onerror = () => {}
  }

  function read(data: string): void {
    if (state.state === 'closing') return
    watchdog.heard()
    const frame = readFrame(data)
    if (typeof frame === 'number') {
      report(
        new TypeError(`the server sent what is no frame of this protocol: ${String(data).slice(0, 200)}`),
      )
      lose({ code: Math.max(frame, 4500), reason: 'the server broke the protocol', retry: 'slow' })
    } else if (frame) receive(frame)
  }

  function receive(frame: ServerFrame): void {
    switch (frame[0]) {
      case 17:
        if (state.state !== 'connecting') break
        dispatch({ type: 'welcome' })
        channel.welcome(frame)
        watchdog.start(frame[2].heartbeat)
        parts.flush()
        break
      case 18:
      case 19:
      case 22:
        channel.answer(frame)
        parts.flush()
        break
      case 25:
        if (frame[1] === 'wanted') void refresh(channel)
        break
      case 26:
        if (watchdog.wantsAnswer()) channel.send([10])
        break
      default:
        parts.receive(frame)
    }
  }

  async function refresh(mine: Channel): Promise<void> {
    try {
      const token = await askToken()
      if (token !== null) mine.send([9, token])
    } catch (error) {
      report(error)
    }
  }

  return {
    get: () => state,
    get state() {
      return state.state
    },
    subscribe: notice.subscribe,
    connect: () => connect('idle', 'waiting', 'closed'),
    need: () => connect('idle'),
    close: () => dispatch({ type: 'close' }),
    get channel() {
      return channel
    },
  }
}
