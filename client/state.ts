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

/**
 * Where an open connection stands. `stable`: open for long enough that coming back at once cannot become a storm. The others: the
 * server asked to leave it, and its successor is being opened (`moving`), waits to be tried again (`stuck`), or was refused for good
 * (`stranded`). PROTOCOL.md § Moving.
 */
export type Phase = 'fresh' | 'stable' | 'moving' | 'stuck' | 'stranded'

/** A state is its own public picture. */
export type State =
  | In<'idle' | 'connecting' | 'waiting' | 'closing'>
  | (In<'open'> & { readonly phase: Phase })
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
  /** The server asks to leave. */
  | { readonly type: 'goaway' }
  /** The time that the state was given is over. */
  | { readonly type: 'timer'; readonly roll: number }
  /** The connection or the attempt at one has ended; of two, the newer. */
  | ({ readonly type: 'lost' } & Lost)
  /** The older of two has ended. */
  | ({ readonly type: 'left' } & Lost)
  | { readonly type: 'close' }

/** What the driver does. `move` and `leave` make two connections of one, and one of two; the rest is about the newer. */
export type Effect =
  /** Fetch a token and open a socket. */
  | 'dial'
  /** Settle or requeue what was under way; in a closed state that of both. */
  | 'down'
  /** Close the socket, wherever it is, and hear no more of it. */
  | 'drop'
  /** Close the socket and wait for its end. */
  | 'hangUp'
  /** What there is becomes the older one: nothing new goes out on it. */
  | 'move'
  /** End the older one as soon as nothing is in flight there. */
  | 'leave'

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
/** The longest wait that a server can ask for. */
const MAX_AFTER_MS = 3_600_000
const FENCED = 4505

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
  const phase = phaseOf(state)
  const final = isFinal(state)
  switch (event.type) {
    case 'connect':
      return event.from.includes(now) && !final ? connecting(state, rules) : [state]
    case 'welcome':
      if (phase === 'moving') return [{ ...state, state: 'open', phase: 'fresh' }, ['leave'], STABLE_MS]
      return now === 'connecting' ? [{ ...state, state: 'open', phase: 'fresh' }, [], STABLE_MS] : [state]
    case 'goaway':
      return phase === 'fresh' || phase === 'stable' ? moving(state, ['move', 'dial'], rules) : [state]
    case 'timer':
      if (phase === 'fresh') return [{ ...state, state: 'open', attempt: 0, phase: 'stable' }]
      if (phase === 'stuck') return moving(state, ['dial'], rules)
      if (phase === 'stable') return [state]
      if (now === 'waiting') return connecting(state, rules)
      return transition(
        state,
        { ...event, type: 'lost', code: 4000, reason: 'no WELCOME in time', retry: 'backoff' },
        rules,
      )
    case 'lost':
      if (now === 'closing') return ended(state)
      if (phase === 'stuck' || phase === 'stranded') return [state]
      return now === 'connecting' || now === 'open' ? lost(state, event, phase, rules) : [state]
    case 'left': {
      if (phase === 'stranded') return [{ ...state, state: 'closed', final: false }, ['down', 'drop']]
      // A successor fences it, one that was given up too: that says nothing about coming back.
      const loss: Lost = event.code === FENCED ? { ...event, retry: 'backoff' } : event
      if (phase === 'moving' && loss.retry !== 'never')
        return [{ ...failure(state, loss), state: 'connecting' }, [], rules.connectTimeout]
      return phase === 'moving' || phase === 'stuck' ? lost(state, loss, 'fresh', rules) : [state]
    }
    case 'close':
      if (now === 'connecting' || now === 'open') {
        const closed = { code: 1000, reason: 'closed by the application' }
        return [{ ...state, state: 'closing', closed }, ['down', 'hangUp'], CLOSING_MS]
      }
      return final ? [state] : ended(state)
  }
}

const phaseOf = (state: State): Phase | undefined => (state.state === 'open' ? state.phase : undefined)

const connecting = (state: State, { connectTimeout }: Rules): Step => [
  { ...state, state: 'connecting', retryIn: undefined },
  ['dial'],
  connectTimeout,
]

const moving = (state: State, effects: readonly Effect[], { connectTimeout }: Rules): Step => [
  { ...state, state: 'open', phase: 'moving' },
  effects,
  connectTimeout,
]

const ended = (state: State): Step => [
  { ...state, state: 'closed', attempt: 0, retryIn: undefined, final: true },
  ['down', 'drop'],
]

const failure = ({ attempt }: State, { code, reason }: Loss) => ({
  attempt: attempt + 1,
  retryIn: undefined,
  closed: { code, reason },
})

function lost(state: State, loss: Lost, phase: Phase | undefined, rules: Rules): Step {
  const { retry, roll, after = 0 } = loss
  const next = failure(state, loss)
  if (retry === 'never') {
    return phase === 'moving'
      ? [{ ...next, state: 'open', phase: 'stranded' }, ['down', 'drop', 'leave']]
      : [{ ...next, state: 'closed', final: false }, ['down', 'drop']]
  }
  if (retry === 'now' && phase === 'stable') {
    return [{ ...next, state: 'connecting' }, ['down', 'drop', 'dial'], rules.connectTimeout]
  }
  const told = after > 0 ? Math.min(after, MAX_AFTER_MS) : 0
  // As long again at random: those who were told the same must not come at the same time.
  const base = told ? Math.max(rules.base, told) : retry === 'slow' ? rules.base * SLOW : rules.base
  const retryIn = told + delayOf({ base, max: rules.max }, state.attempt, roll)
  return phase === 'moving'
    ? [{ ...next, state: 'open', phase: 'stuck' }, ['down', 'drop'], retryIn]
    : [{ ...next, state: 'waiting', retryIn }, ['down', 'drop'], retryIn]
}
