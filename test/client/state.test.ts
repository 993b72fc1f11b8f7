import { describe, expect, it } from 'vitest'
import { type Event, IDLE, type Rules, type State, transition } from '../../client/state.js'

const rules: Rules = { base: 500, max: 30_000, connectTimeout: 10_000 }
const closed = { code: 1006, reason: '' }
const picture = { attempt: 2, retryIn: undefined, closed }

const states = {
  idle: IDLE,
  connecting: { ...picture, state: 'connecting' },
  open: { ...picture, state: 'open', stable: false },
  stable: { ...picture, attempt: 0, state: 'open', stable: true },
  waiting: { ...picture, state: 'waiting', retryIn: 700 },
  closing: { ...picture, state: 'closing' },
  fatal: { ...picture, attempt: 0, state: 'closed', final: false },
  final: { ...picture, attempt: 0, state: 'closed', final: true },
} satisfies Record<string, State>

const lost = (retry: 'now' | 'backoff' | 'slow' | 'never'): Event => ({
  type: 'lost',
  code: 4321,
  reason: 'why',
  retry,
  roll: 0.5,
})
const events = {
  need: { type: 'connect', from: ['idle'] },
  online: { type: 'connect', from: ['waiting'] },
  connect: { type: 'connect', from: ['idle', 'waiting', 'closed'] },
  welcome: { type: 'welcome' },
  timer: { type: 'timer', roll: 0.5 },
  lostNow: lost('now'),
  lostBackoff: lost('backoff'),
  lostSlow: lost('slow'),
  lostNever: lost('never'),
  close: { type: 'close' },
} satisfies Record<string, Event>

const dial = 'connecting: dial +10000'
// The next state, what is done there, and after how long its timer rings; '-' where nothing happens.
const table: Record<keyof typeof states, Record<keyof typeof events, string>> = {
  idle: {
    ...{ need: dial, online: '-', connect: dial, welcome: '-', timer: '-' },
    ...{ lostNow: '-', lostBackoff: '-', lostSlow: '-', lostNever: '-', close: 'closed final: down drop' },
  },
  connecting: {
    ...{ need: '-', online: '-', connect: '-', welcome: 'open: +10000', timer: 'waiting: down drop +1000' },
    lostNow: 'waiting: down drop +1000',
    lostBackoff: 'waiting: down drop +1000',
    lostSlow: 'waiting: down drop +10000',
    lostNever: 'closed: down drop',
    close: 'closing: down hangUp +2000',
  },
  open: {
    ...{ need: '-', online: '-', connect: '-', welcome: '-', timer: 'open stable:' },
    lostNow: 'waiting: down drop +1000',
    lostBackoff: 'waiting: down drop +1000',
    lostSlow: 'waiting: down drop +10000',
    lostNever: 'closed: down drop',
    close: 'closing: down hangUp +2000',
  },
  stable: {
    ...{ need: '-', online: '-', connect: '-', welcome: '-', timer: 'open stable:' },
    lostNow: 'connecting: down drop dial +10000',
    lostBackoff: 'waiting: down drop +250',
    lostSlow: 'waiting: down drop +2500',
    lostNever: 'closed: down drop',
    close: 'closing: down hangUp +2000',
  },
  waiting: {
    ...{ need: '-', online: dial, connect: dial, welcome: '-', timer: dial },
    ...{ lostNow: '-', lostBackoff: '-', lostSlow: '-', lostNever: '-', close: 'closed final: down drop' },
  },
  closing: {
    ...{ need: '-', online: '-', connect: '-', welcome: '-', timer: 'closed final: down drop' },
    lostNow: 'closed final: down drop',
    lostBackoff: 'closed final: down drop',
    lostSlow: 'closed final: down drop',
    lostNever: 'closed final: down drop',
    close: '-',
  },
  fatal: {
    ...{ need: '-', online: '-', connect: dial, welcome: '-', timer: '-' },
    ...{ lostNow: '-', lostBackoff: '-', lostSlow: '-', lostNever: '-', close: 'closed final: down drop' },
  },
  final: {
    ...{ need: '-', online: '-', connect: '-', welcome: '-', timer: '-' },
    ...{ lostNow: '-', lostBackoff: '-', lostSlow: '-', lostNever: '-', close: '-' },
  },
}

function outcome(state: State, event: Event): string {
  const [next, effects = [], timer] = transition(state, event, rules)
  if (next === state) return effects.length === 0 && timer === undefined ? '-' : 'effects without a change'
  const flag =
    (next.state === 'closed' && next.final && ' final') ||
    (next.state === 'open' && next.stable && ' stable') ||
    ''
  const parts = [`${next.state}${flag}:`, ...effects, ...(timer === undefined ? [] : [`+${timer}`])]
  return parts.join(' ')
}

describe('transition', () => {
  for (const [name, state] of Object.entries(states)) {
    it(`does what the table says in ${name}`, () => {
      const seen = Object.fromEntries(
        Object.entries(events).map(([key, event]) => [key, outcome(state, event)]),
      )
      expect(seen).toEqual(table[name as keyof typeof table])
    })
  }

  it('does not touch the state it is given', () => {
    for (const state of Object.values(states)) {
      const before = JSON.stringify(state)
      for (const event of Object.values(events)) transition(Object.freeze({ ...state }), event, rules)
      expect(JSON.stringify(state)).toBe(before)
    }
  })

  it('counts failures until a connection was stable, and says why the last one ended', () => {
    const [first] = transition(states.connecting, events.lostBackoff, rules)
    expect(first).toMatchObject({ attempt: 3, retryIn: 1000, closed: { code: 4321, reason: 'why' } })
    const [again] = transition(first, events.timer, rules)
    expect(again).toMatchObject({ state: 'connecting', attempt: 3, retryIn: undefined })
    const [open] = transition(again, events.welcome, rules)
    expect(open).toMatchObject({ state: 'open', attempt: 3 })
    const [stable] = transition(open, events.timer, rules)
    expect(stable).toMatchObject({ state: 'open', attempt: 0 })
    expect(transition(stable, events.lostBackoff, rules)[0]).toMatchObject({ attempt: 1 })
  })

  it('waits at most `max`, however often it failed', () => {
    for (const attempt of [0, 1, 5, 6, 7, 40, 5000]) {
      const state: State = { ...states.connecting, attempt }
      for (const roll of [0, 0.5, 0.999]) {
        for (const event of [lost('backoff'), lost('slow')]) {
          const [next] = transition(state, { ...event, roll } as Event, rules)
          expect(next.retryIn).toBeGreaterThanOrEqual(0)
          expect(next.retryIn).toBeLessThan(rules.max)
        }
      }
    }
  })

  it('takes the time-out of an attempt for a failed one', () => {
    expect(transition(states.connecting, events.timer, rules)[0].closed).toEqual({
      code: 4000,
      reason: 'no WELCOME in time',
    })
  })
})
