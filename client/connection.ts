/** Drives lines by the effects of state.ts: one, or for a while the one to be left and its successor. PROTOCOL.md § Opening, § Moving. */
import type { FrameOf, ServerFrame } from '../contract/wire/frames.js'
import { createAlarm } from './alarm.js'
import type { Channel } from './channel.js'
import { createId, host } from './host.js'
import { createLine, type Line, type Owner } from './line.js'
import { createNotice } from './listeners.js'
import type { Settings } from './settings.js'
import { type Effect, type Event, IDLE, isClosed, type Loss, type State, transition } from './state.js'
import { createTokens } from './token.js'
import type { Connection, ConnectionState, Descriptor } from './types.js'

/** What a connection tells the rest of the client. */
export interface Parts {
  /** An EVENT, and the channel that an ANSWER goes to. */
  event(frame: FrameOf<'EVENT'>, channel: Channel): void
  /** A frame of a room; of two connections, from the one where rooms are joined. */
  room(frame: FrameOf<'PUBLICATION' | 'LEFT'>): void
  /** There may be room: sends what waits, in order. */
  flush(): void
  /**
   * What was in flight on `channel` is lost; `state` tells how it goes on. `untouched`: the server has run none of it. Runs no
   * code of the application.
   */
  down(state: State, untouched: boolean, channel: Channel): void
}

/** A connection as the parts of a client see it. */
export interface Link extends Connection {
  get(): State
  /** Connects if nothing has yet. */
  need(): void
  /** Ends for good. */
  close(): void
  /** Where frames go; another one after each loss, and as soon as the server asks to leave. */
  readonly channel: Channel
}

const MOVED = { code: 4004, reason: 'replaced by the next connection', retry: 'now' } as const

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
  const features = options.token ? ['goaway', 'token'] : ['goaway']
  let session = ''
  let state: State = IDLE

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
      dispatch({ type: 'welcome' })
      parts.flush()
    },
    answered: () => parts.flush(),
    receive,
    lost,
  }
  let line = createLine(url, settings, owner)
  /** The one that the server asked to leave. */
  let old: Line | undefined
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
    state = next
    alarm.stop()
    if (timer !== undefined) alarm.set(timer, () => dispatch({ type: 'timer', roll: random() }))
    for (const effect of effects) run[effect]()
    notice.changed()
  }

  const run: Record<Effect, () => void> = {
    dial() {
      host.addEventListener?.('online', online)
      line.dial()
    },
    down() {
      parts.down(state, line.untouched, line.channel)
      if (!isClosed(state)) return
      host.removeEventListener?.('online', online)
      leave(1000, '')
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
      // A third line would be one too many.
      leave(MOVED.code, MOVED.reason)
      old = line
      line = createLine(url, settings, owner)
    },
    leave() {
      const leaving = old
      leaving?.channel.leave(() => lost(leaving, MOVED))
    },
  }

  /** Ends the older line, whatever is in flight there. */
  function leave(code: number, reason: string): void {
    const left = old
    old = undefined
    if (!left) return
    left.drop(code, reason)
    parts.down(state, false, left.channel)
  }

  function lost(from: Line, loss: Loss): void {
    const event = { roll: random(), ...loss }
    if (from === line) dispatch({ type: 'lost', ...event })
    else if (from === old) {
      dispatch({ type: 'left', ...event })
      leave(loss.code, loss.reason)
      parts.flush()
    }
  }

  function receive(from: Line, frame: ServerFrame): void {
    if (frame[0] === 21) parts.event(frame, from.channel)
    else if (frame[0] === 28) {
      if (from === line) dispatch({ type: 'goaway' })
    } else if ((frame[0] === 23 || frame[0] === 27) && from === joined) parts.room(frame)
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
      return line.channel
    },
  }
}
