/**
 * The connection as an explicit union of states and one pure function. What a transition wants done comes back as
 * effects; time, randomness and the socket are the driver's (connection.ts).
 */
import type { Retry } from '../contract/wire/close-codes.js'
import { type Backoff, delayOf } from './backoff.js'
import type { ConnectionSnapshot, ConnectionState, PlainCode } from './types.js'

interface In<S extends ConnectionState> extends ConnectionSnapshot {
  readonly state: S
}

/** A state is its own public picture. Of two connections it is the newer one's. */
export type State =
  | In<'idle' | 'connecting' | 'waiting' | 'closing'>
  /** `stable`: open for long enough that coming back at once cannot become a storm. */
  | (In<'open'> & { readonly stable: boolean })
  /** `final`: by `close()`. Otherwise `connect()` starts afresh. */
  | (In<'closed'> & { readonly final: boolean })

/** How a connection ended: what is known of it, and how soon to come back. */
export interface Loss {
  readonly code: number
  readonly reason: string
  readonly retry: Retry
  /** The server's word that it is of no use before so many ms, above 0; at most an hour of it counts. */
  readonly after?: number
}

interface Lost extends Loss {
  readonly roll: number
}

/** What happens to a connection. `roll` is a random number, 0 ≤ n < 1. */
export type Event =
  /** Somebody wants a connection; `from` are the states in which that counts. */
  | { readonly type: 'connect'; readonly from: readonly ConnectionState[] }
  | { readonly type: 'welcome' }
  /** The server told how it is. */
  | { readonly type: 'told'; readonly degraded: boolean }
  /** The server asks to leave a connection that has been open for `age` ms. */
  | { readonly type: 'goaway'; readonly roll: number; readonly age: number }
  /** The time that the state was given is over. */
  | { readonly type: 'timer'; readonly roll: number }
  /** The connection or the attempt at one has ended; of two, the newer. */
  | ({ readonly type: 'lost' } & Lost)
  /** The older of two has ended, and not because it was left. */
  | ({ readonly type: 'left' } & Lost)
  | { readonly type: 'close' }

/** What the driver does. `move` and `leave` make two connections of one, and one of two; the rest is about the newer. */
export type Effect =
  /** Fetch a token and open a socket. */
  | 'dial'
  /** Settle or requeue what was under way. */
  | 'down'
  /** Close the socket, wherever it is, and hear no more of it. */
  | 'drop'
  /** Close the socket and wait for its end. */
  | 'hangUp'
  /** What there is becomes the older one: nothing new goes out on it. */
  | 'move'
  /** End the older one, if there is one, as soon as nothing is in flight there. */
  | 'leave'

/**
 * Where to go, what to do there in this order, and after how many ms `timer` happens. A step that stays in its state without a time
 * leaves the one that runs.
 */
export type Step = readonly [state: State, effects?: readonly Effect[], timer?: number]

/** What a transition depends on beside state and event. In ms. */
export interface Rules extends Backoff {
  readonly connectTimeout: number
}

/** A connection that was open for so long is stable: its end is not one more failure in a row. */
export const STABLE_MS = 10_000
/** How long `close()` waits for the peer's Close. */
export const CLOSING_MS = 2000
/** A `slow` close code waits by so many times the base. PROTOCOL.md § Close codes. */
const SLOW = 10
/** The longest wait that a server can ask for. */
const MAX_AFTER_MS = 3_600_000
const FENCED = 4505
/** How this side ends a connection: for good, or because the next one has arrived. PROTOCOL.md § Close codes. */
export const CLOSED_BY_APPLICATION = { code: 1000, reason: 'closed by the application' } as const
export const MOVED = { code: 4004, reason: 'replaced by the next connection' } as const

/** Nothing connects by itself any more. */
export const isClosed = ({ state }: State): boolean => state === 'closing' || state === 'closed'
/** Closed by `close()`: nothing connects it again. */
export const isFinal = (state: State): boolean =>
  state.state === 'closing' || (state.state === 'closed' && state.final)

// What a server that closes for good says, in the words of a call.
const REFUSALS: Readonly<Record<number, PlainCode>> = {
  4506: 'UNAUTHORIZED',
  4507: 'FORBIDDEN',
  4511: 'UPGRADE_REQUIRED',
}
/** With which code calls and joins fail in a closed state. PROTOCOL.md § Close codes. */
export const whyClosed = (state: State): PlainCode => REFUSALS[state.closed?.code ?? 0] ?? 'CLOSED'

/** Why what was not sent will not be by itself; `undefined` where a connection is there or under way. */
export const whyUnsent = (state: State): PlainCode | undefined =>
  isClosed(state) ? whyClosed(state) : state.state === 'waiting' ? 'OFFLINE' : undefined

/** Where every connection starts. */
export const IDLE: State = {
  state: 'idle',
  attempt: 0,
  retryIn: undefined,
  closed: undefined,
  degraded: false,
}

/** Moves on. The same state object means that the event says nothing in this state. */
export function transition(state: State, event: Event, rules: Rules): Step {
  const now = state.state
  const final = isFinal(state)
  switch (event.type) {
    case 'connect':
      return event.from.includes(now) && !final ? connecting(state, ['dial'], rules) : [state]
    case 'welcome':
      return now === 'connecting'
        ? [{ ...state, state: 'open', stable: false, degraded: false }, ['leave'], STABLE_MS]
        : [state]
    case 'told':
      return event.degraded === state.degraded ? [state] : [{ ...state, degraded: event.degraded }]
    case 'goaway': {
      if (state.state !== 'open') return [state]
      // Where each server sends us on as soon as we come, there is no hurry.
      const wait = state.stable ? 0 : delayOf(rules, state.attempt, event.roll) - event.age
      return wait > 0
        ? waiting({ ...state, attempt: state.attempt + 1 }, ['move'], wait)
        : connecting(state, ['move', 'dial'], rules)
    }
    case 'timer':
      if (now === 'open') return [{ ...state, state: now, attempt: 0, stable: true }]
      if (now === 'waiting') return connecting(state, ['dial'], rules)
      return lost(state, { ...event, code: 4000, reason: 'no WELCOME in time', retry: 'backoff' }, rules)
    case 'lost':
      return now === 'waiting' ? [state] : lost(state, event, rules)
    case 'left': {
      const { code, reason, retry } = event
      // Its successor's HELLO has fenced it: that says nothing about coming back.
      if (code === FENCED || (now !== 'connecting' && now !== 'waiting')) return [state]
      if (retry === 'never') return lost(state, event, rules)
      // A wait has its own reason, which may be the server's word.
      return now === 'waiting' ? [state] : [{ ...state, closed: { code, reason } }]
    }
    case 'close':
      if (now === 'connecting' || now === 'open') {
        return [{ ...state, state: 'closing', closed: CLOSED_BY_APPLICATION }, ['down', 'hangUp'], CLOSING_MS]
      }
      return final ? [state] : ended(state)
  }
}

const connecting = (state: State, effects: readonly Effect[], { connectTimeout }: Rules): Step => [
  { ...state, state: 'connecting', retryIn: undefined },
  effects,
  connectTimeout,
]

const waiting = (state: State, effects: readonly Effect[], retryIn: number): Step => [
  { ...state, state: 'waiting', retryIn },
  effects,
  retryIn,
]

const ended = (state: State): Step => [
  { ...state, state: 'closed', attempt: 0, retryIn: undefined, final: true },
  ['down', 'drop'],
]

function lost(state: State, { code, reason, retry, roll, after = 0 }: Lost, rules: Rules): Step {
  if (state.state === 'closing') return ended(state)
  if (state.state === 'idle' || state.state === 'closed') return [state]
  const next = { ...state, attempt: state.attempt + 1, retryIn: undefined, closed: { code, reason } }
  if (retry === 'never') return [{ ...next, state: 'closed', final: false }, ['down', 'drop']]
  if (retry === 'now' && state.state === 'open' && state.stable) {
    return connecting(next, ['down', 'drop', 'dial'], rules)
  }
  const told = after > 0 ? Math.min(after, MAX_AFTER_MS) : 0
  // As long again at random: those who were told the same must not come at the same time.
  const base = told ? Math.max(rules.base, told) : retry === 'slow' ? rules.base * SLOW : rules.base
  return waiting(next, ['down', 'drop'], told + delayOf({ base, max: rules.max }, state.attempt, roll))
}
