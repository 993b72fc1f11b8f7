/** Drives lines by the effects of state.ts: one, or for a while the one to be left and its successor. PROTOCOL.md § Opening, § Moving. */
import type { FrameOf, ServerFrame } from '../contract/wire/frames.js'
import { createAlarm } from './alarm.js'
import type { Channel } from './channel.js'
import { createId, host } from './host.js'
import { createLine, type Line, type Owner } from './line.js'
import { createNotice } from './listeners.js'
import type { Settings } from './settings.js'
import {
  CLOSED_BY_APPLICATION,
  type Effect,
  type Event,
  IDLE,
  isClosed,
  isFinal,
  type Loss,
  MOVED,
  type State,
  transition,
} from './state.js'
import { createTokens } from './token.js'
import type { Connection, ConnectionState, Descriptor } from './types.js'

/** What a server says of a room without being asked. */
export type RoomFrame = FrameOf<'JOINED' | 'PUBLICATION' | 'S_PRESENCE' | 'LEFT'>

/** What a connection tells the rest of the client. */
export interface Parts {
  /** An EVENT, and the channel that an ANSWER goes to. */
  event(frame: FrameOf<'EVENT'>, channel: Channel): void
  /** A frame of a room; of two connections, from the one where rooms are joined. */
  room(frame: RoomFrame): void
  /** There may be room: sends what waits, in order. */
  flush(): void
  /** What was `UNAVAILABLE` may be back: sends what waits for that, in order. */
  retry(): void
  /**
   * What was in flight on `channel` is lost; `state` tells how it goes on. `untouched`: the server has run none of it. Runs no
   * code of the application.
   */
  down(state: State, untouched: boolean, channel: Channel): void
}

/** A connection as the parts of a client see it. */
export interface Link extends Connection {
  /** As the application sees it: open while it works with a connection that it was asked to leave. */
  get(): State
  /** Connects if nothing has yet. */
  need(): void
  /** Ends for good. */
  close(): void
  /** Where frames go; another one after each loss, and as soon as the server asks to leave. */
  readonly channel: Channel
}

/** Those who were told `restored` together do not come together: each waits up to so long, in ms. */
const RESTORED_MS = 1000

/** Makes a connection that does nothing yet. */
export function createConnection(
  { hash, version }: Descriptor,
  url: string,
  settings: Settings,
  parts: Parts,
): Link {
  const { options, rules, clock, random, report } = settings
  const notice = createNotice(report)
  const alarm = createAlarm(clock)
  const restored = createAlarm(clock)
  const features = options.token ? ['goaway', 'token'] : ['goaway']
  let session = ''
  let opened = 0
  let state: State = IDLE
  let picture: State = IDLE

  const owner: Owner = {
    token: createTokens(options, report),
    hello(token) {
      session ||= createId(random)
      return [1, session, hash, version, features, token]
    },
    started(from) {
      // The JOINs behind this HELLO continue where the rooms stand now: nothing may move them on the older line any more.
      joined = from
      parts.flush()
    },
    welcome() {
      opened = clock.now()
      dispatch({ type: 'welcome' })
      parts.flush()
    },
    answered: () => parts.flush(),
    receive,
    lost,
  }
  let line = createLine(url, settings, owner)
  /** The one that the server asked to leave; and whether the application still works with it, for want of the next. */
  let old: Line | undefined
  let moving = false
  /** Where the rooms are joined. */
  let joined = line

  const connect = (...from: ConnectionState[]): void => dispatch({ type: 'connect', from })
  const online = (): void => {
    // What a server asked for does not depend on this side's network.
    if (state.closed?.code !== 1013) connect('waiting')
  }

  function dispatch(event: Event): void {
    const [next, effects = [], timer] = transition(state, event, rules)
    if (next === state) return
    if (timer !== undefined || next.state !== state.state) alarm.stop()
    state = next
    if (timer !== undefined) alarm.set(timer, () => dispatch({ type: 'timer', roll: random() }))
    show()
    for (const effect of effects) run[effect]()
  }

  function show(): void {
    const { degraded } = picture
    if (state.state === 'open' || isClosed(state)) moving = false
    if (moving) picture = { ...state, state: 'open', stable: false, retryIn: undefined }
    else picture = state.degraded && state.state !== 'open' ? { ...state, degraded: false } : state
    if (isClosed(state)) restored.stop()
    else if (degraded && !picture.degraded) restored.set(random() * RESTORED_MS, parts.retry)
    notice.changed()
  }

  const run: Record<Effect, () => void> = {
    dial() {
      host.addEventListener?.('online', online)
      line.dial()
    },
    down() {
      parts.down(picture, line.untouched, line.channel)
      if (!isClosed(state)) return
      host.removeEventListener?.('online', online)
      // Refused for good: what is in flight on the older one is answered all the same.
      if (isFinal(state)) leave(CLOSED_BY_APPLICATION)
      else run.leave()
    },
    drop() {
      const { code, reason } = state.closed ?? { code: 1000, reason: '' }
      line.drop(code, reason)
      line = createLine(url, settings, owner)
    },
    hangUp() {
      if (!line.hangUp()) lost(line, { code: 1000, reason: '', retry: 'never' })
    },
    move() {
      moving = true
      show()
      // A third line would be one too many.
      leave(MOVED)
      old = line
      line = createLine(url, settings, owner)
    },
    leave() {
      old?.channel.leave(() => leave(isClosed(state) ? CLOSED_BY_APPLICATION : MOVED))
    },
  }

  /** Ends the older line, whatever is in flight there. */
  function leave({ code, reason }: Pick<Loss, 'code' | 'reason'>): void {
    const left = old
    old = undefined
    if (!left) return
    left.drop(code, reason)
    parts.down(picture, false, left.channel)
  }

  function lost(from: Line, loss: Loss): void {
    const event = { roll: random(), ...loss }
    if (from === line) dispatch({ type: 'lost', ...event })
    else if (from === old) {
      dispatch({ type: 'left', ...event })
      moving = false
      show()
      leave(loss)
      parts.flush()
    }
  }

  function receive(from: Line, frame: ServerFrame): void {
    switch (frame[0]) {
      case 21:
        parts.event(frame, from.channel)
        break
      case 22:
      case 23:
      case 24:
      case 27:
        if (from === joined) parts.room(frame)
        break
      case 28:
        if (from === line) dispatch({ type: 'goaway', roll: random(), age: clock.now() - opened })
        break
      case 29:
        // While it moves, the older one is what the application works with.
        if ((from === line || moving) && (frame[1] === 'degraded' || frame[1] === 'restored')) {
          dispatch({ type: 'told', degraded: frame[1] === 'degraded' })
        }
    }
  }

  return {
    get: () => picture,
    get state() {
      return picture.state
    },
    subscribe: notice.subscribe,
    connect: () => connect('idle', 'waiting', 'closed'),
    need: () => connect('idle'),
    close: () => dispatch({ type: 'close' }),
    get channel() {
      return line.channel
    },
  }
}
