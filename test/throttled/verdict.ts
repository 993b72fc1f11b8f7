/** Whether a tab was throttled, and stayed connected. */
import type { Seen } from './page.js'

/** Milliseconds between two BEATs where nothing else is said: the server's default. */
export const HEARTBEAT = 25_000
/** Milliseconds between two ticks of a second from which on a tab counts as throttled to one wake-up a minute. */
const MINUTE = 50_000
/** By how many ms a timer of the client is late at least once where they are throttled too: only those set from timers are. */
const HELD_UP = 10_000

/** What was noted on both sides. */
export interface Notes {
  /** What the page had seen when the throttling was noticed, and at the end. */
  readonly before: Seen
  readonly after: Seen
  /** What the call at the end was answered with. */
  readonly answer: unknown
  /** Seconds that the tab was to be kept throttled. */
  readonly keep: number
  /** The session of each connection that the server let in. */
  readonly sessions: readonly string[]
  /** The close code of each that ended. */
  readonly ends: readonly number[]
}

/** What was found. */
export interface Found {
  readonly ok: boolean
  readonly problems: readonly string[]
  /** Seconds the tab was hidden in all, until the throttling began, and throttled. */
  readonly hidden: number
  readonly throttledAfter: number | undefined
  readonly throttled: number
  /** Milliseconds between the ticks of a timer of a second since then: the shortest and the longest, and how many. */
  readonly shortest: number | undefined
  readonly longest: number | undefined
  readonly intervals: number
  /** How often the client's own timers fired, and by how many ms the latest was late. */
  readonly timers: number
  readonly latest: number
  /** BEATs the page received and sent in all, and received while it was throttled. */
  readonly beats: { readonly received: number; readonly sent: number; readonly throttled: number }
  readonly connections: number
  readonly sessions: number
  readonly closes: readonly number[]
  readonly states: readonly string[]
  readonly event: boolean
  readonly call: boolean
}

/** Whether two ticks of a second have been a minute apart. */
export const isThrottled = (seen: Seen): boolean => startOf(seen) >= 0

/** The tick from which on the next one was a minute away, once the tab was hidden; -1 where there is none. */
const startOf = ({ ticks, hiddenAt }: Seen): number =>
  ticks.findIndex((at, i) => at > hiddenAt && (ticks[i + 1] ?? at) - at >= MINUTE)

/** The figures, and what is wrong with them. */
export function figuresOf({ before, after, answer, keep, sessions, ends }: Notes): Found {
  const start = startOf(after)
  const ticks = start < 0 ? [] : after.ticks.slice(start)
  const intervals = ticks.slice(1).map((at, i) => Math.round(at - (ticks[i] ?? at)))
  const [began] = ticks
  const since = began === undefined ? 0 : after.now - began
  const beats = {
    received: after.received,
    sent: after.sent,
    throttled: after.received - before.received,
  }
  const found = {
    hidden: seconds(after.now - after.hiddenAt),
    throttledAfter: began === undefined ? undefined : seconds(began - after.hiddenAt),
    throttled: seconds(since),
    shortest: intervals.length === 0 ? undefined : Math.min(...intervals),
    longest: intervals.length === 0 ? undefined : Math.max(...intervals),
    intervals: intervals.length,
    timers: after.timers,
    latest: Math.round(after.latest),
    beats,
    connections: sessions.length,
    sessions: new Set(sessions).size,
    closes: ends,
    states: after.states,
    event: after.said.join() === 'are you there?',
    call: answer === 'here',
  }
  const wrong: ReadonlyArray<readonly [boolean, string]> = [
    [after.visibility.join() !== 'visible,hidden', `the tab was ${after.visibility.join(', then ')}`],
    [start < 0, 'Chromium never throttled the timers'],
    [(found.shortest ?? MINUTE) < MINUTE, `Chromium stopped throttling: ${intervals.join(', ')}`],
    [start >= 0 && since < keep * 1000, `throttled for ${found.throttled} s only`],
    [found.latest < HELD_UP, `the timers of the client were late by ${found.latest} ms only`],
    // One look of the server, a fifth, may come on top of each heartbeat; the first and the last are cut off.
    [beats.throttled < Math.floor((keep * 1000) / (1.2 * HEARTBEAT)) - 1, `${beats.throttled} BEATs only`],
    [beats.sent !== beats.received, `${beats.sent} BEATs sent for ${beats.received} received`],
    [found.connections !== 1, `${found.connections} connections of ${found.sessions} sessions`],
    [after.sockets !== 1, `the client opened ${after.sockets} sockets`],
    [ends.length > 0, `connections were closed: ${ends.join(', ')}`],
    [found.states.join() !== 'connecting,open', `the client was ${found.states.join(', ')}`],
    [!found.event, 'the event did not arrive'],
    [!found.call, `the call was answered with ${JSON.stringify(answer)}`],
  ]
  const problems = wrong.flatMap(([is, what]) => (is ? [what] : []))
  return { ok: problems.length === 0, problems, ...found }
}

const seconds = (ms: number): number => Math.round(ms / 1000)
