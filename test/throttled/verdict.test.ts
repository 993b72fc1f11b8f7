import { describe, expect, it } from 'vitest'
import type { Seen } from './page.js'
import { figuresOf, isThrottled, type Notes } from './verdict.js'

const MINUTE = 60_000
/** A tab hidden after five ticks and throttled two ticks later, for five minutes and a bit. */
const ticks = [0, 1000, 2000, 3000, 4000, 6000, 8000, ...[1, 2, 3, 4, 5].map((n) => 8000 + n * MINUTE)]
const after: Seen = {
  ...{ visibility: ['visible', 'hidden'], hiddenAt: 4500, now: 8000 + 5.5 * MINUTE, ticks, timers: 9 },
  ...{ latest: 31_000.4, received: 13, sent: 13, sockets: 1, states: ['connecting', 'open'] },
  said: ['are you there?'],
}
const before: Seen = { ...after, now: 9000 + MINUTE, ticks: ticks.slice(0, 8), received: 3, said: [] }
const notes: Notes = { before, after, answer: 'here', keep: 240, sessions: ['s1'], ends: [] }

describe('the verdict on a throttled tab', () => {
  it('is good where the tab was throttled all along and its one connection answered', () => {
    expect(figuresOf(notes)).toMatchObject({
      ...{ ok: true, problems: [], hidden: 334, throttledAfter: 4, throttled: 330 },
      ...{ shortest: MINUTE, longest: MINUTE, intervals: 5, latest: 31_000 },
      ...{ beats: { received: 13, sent: 13, throttled: 10 }, connections: 1, sessions: 1 },
    })
  })

  const seen = (change: Partial<Seen>): Partial<Notes> => ({ after: { ...after, ...change } })
  it.each<[string, Partial<Notes>, RegExp]>([
    ['somebody looked', seen({ visibility: ['visible', 'hidden', 'visible'] }), /then visible/],
    ['it was never hidden', seen({ visibility: ['visible'] }), /was visible$/],
    ['its timers went on', seen({ ticks: [5000, 6000, 8000, 10_000] }), /never throttled/],
    ['its timers went on later', seen({ ticks: [...ticks, 8000 + 5 * MINUTE + 2000] }), /stopped/],
    ['it was throttled for too short a time', seen({ now: 8000 + 3.5 * MINUTE }), /for 210 s only/],
    ['the client was not held up', seen({ latest: 900 }), /timers of the client/],
    ['there were few BEATs', seen({ received: 9, sent: 9 }), /6 BEATs only/],
    ['a BEAT was not answered', seen({ sent: 12 }), /12 BEATs sent for 13/],
    ['the client came back', { sessions: ['s1', 's1'] }, /2 connections of 1 sessions/],
    ['the client tried to come back', seen({ sockets: 2 }), /2 sockets/],
    ['its connection ended', { ends: [4000] }, /closed: 4000/],
    ['the client saw it end', seen({ states: ['connecting', 'open', 'waiting'] }), /waiting/],
    ['the event did not arrive', seen({ said: [] }), /event/],
    ['the call failed', { answer: 'TIMEOUT' }, /"TIMEOUT"/],
  ])('is bad where %s', (_what, change, problem) => {
    const { ok, problems } = figuresOf({ ...notes, ...change })
    expect({ ok, problems }).toEqual({ ok: false, problems: [expect.stringMatching(problem)] })
  })

  it('takes a tab for throttled once it has been hidden and a minute has passed between two ticks', () => {
    expect(isThrottled(before)).toBe(true)
    expect(isThrottled({ ...before, ticks: ticks.slice(0, 7) })).toBe(false)
    expect(isThrottled({ ...before, hiddenAt: 9000 })).toBe(false)
  })
})
