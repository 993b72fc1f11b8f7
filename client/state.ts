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

/** A state is its own public picture. */
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
}

/** What happens to a connection. `roll` is a random number, 0 ≤ n < 1. */
export type Event =
  /** Somebody wants a connection; `from` are the states in which that counts. */
  | { readonly type: 'connect'; readonly from: readonly ConnectionState[] }
  | { readonly type: 'welcome' }
  /** The time that the state was given is over. */
  | { readonly type: 'timer'; readonly roll: number }
  | ({ readonly type: 'lost'; readonly roll: number } & Loss)
  | { readonly type: 'close' }

/** What the driver does. */
export type Effect =
  /** Fetch a token and open a socket. */
  | 'dial'
  /** Settle or requeue what was under way. */
  | 'down'
  /** Close the socket, wherever it is, and hear no more of it. */
  | 'drop'
  /** Close the socket and wait for its end. */
  | 'hangUp'

/** Where to go, what to do there in this order, and after how many ms `timer` happens. */
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

/** Where every connection starts. */
export const IDLE: State = { state: 'idle', attempt: 0, retryIn: undefined, closed: undefined }

/** Moves on. The same state object means that the event says nothing in this state. */
export function transition(state: State, event: Event, rules: Rules): Step {
  const now = state.state
  const live = now === 'connecting' || now === 'open'
  const final = isFinal(state)
  switch (event.type) {
    case 'connect':
      return event.from.includes(now) && !final ? connecting(state, rules) : [state]
    case 'welcome':
      return now === 'connecting' ? [{ ...state, state: 'open', stable: false }, [], STABLE_MS] : [state]
    case 'timer':
      if (now === 'open') return [{ ...state, attempt: 0, stable: true }]
      if (now === 'waiting') return connecting(state, rules)
      return transition(
        state,
        { ...event, type: 'lost', code: 4000, reason: 'no WELCOME in time', retry: 'backoff' },
        rules,
      )
    case 'lost':
      if (now === 'closing') return ended(state)
      return live ? lost(state, event, event.roll, rules) : [state]
    case 'close':
      if (live) {
        const closed = { code: 1000, reason: 'closed by the application' }
        return [{ ...state, state: 'closing', closed }, ['down', 'hangUp'], CLOSING_MS]
      }
      return final ? [state] : ended(state)
  }
}

const connecting = (state: State, { connectTimeout }: Rules): Step => [
  { ...state, state: 'connecting', retryIn: undefined },
  ['dial'],
  connectTimeout,
]

const ended = (state: State): Step => [
  { ...state, state: 'closed', attempt: 0, retryIn: undefined, final: true },
  ['down', 'drop'],
]

function lost(state: State, { code, reason, retry }: Loss, roll: number, rules: Rules): Step {
  const attempt = state.attempt + 1
  const next = { attempt, retryIn: undefined, closed: { code, reason } }
  if (retry === 'never') return [{ ...next, state: 'closed', final: false }, ['down', 'drop']]
  if (retry === 'now' && state.state === 'open' && state.stable) {
    return [{ ...next, state: 'connecting' }, ['down', 'drop', 'dial'], rules.connectTimeout]
  }
  const base = retry === 'slow' ? rules.base * SLOW : rules.base
  const retryIn = delayOf({ base, max: rules.max }, state.attempt, roll)
  return [{ ...next, state: 'waiting', retryIn }, ['down', 'drop'], retryIn]
}
