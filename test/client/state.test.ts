import { describe, expect, it } from 'vitest'
import { type Event, IDLE, type Rules, type State, transition } from '../../client/state.js'

/** Numbers that look random, the same for the same seed (mulberry32). */
function generator(seed: number): () => number {
  let a = seed
  return () => {
    a = (a + 0x6d2b79f5) | 0
    let t = Math.imul(a ^ (a >>> 15), 1 | a)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
  }
}

const rules: Rules = { base: 500, max: 30_000, connectTimeout: 10_000 }
const closed = { code: 1006, reason: '' }
const picture = { attempt: 2, retryIn: undefined, closed, degraded: false }

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

const lost = (retry: 'now' | 'backoff' | 'slow' | 'never', type: 'lost' | 'left' = 'lost'): Event => ({
  type,
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
  goaway: { type: 'goaway', roll: 0.5, age: 900 },
  left: lost('now', 'left'),
  leftNever: lost('never', 'left'),
  fenced: { type: 'left', code: 4505, reason: 'fenced', retry: 'never', roll: 0.5 },
  close: { type: 'close' },
} satisfies Record<string, Event>

const dial = 'connecting: dial +10000'
const older = { goaway: '-', left: '-', leftNever: '-', fenced: '-' }
// The next state, what is done there, and after how long its timer rings; '-' where nothing happens.
const table: Record<keyof typeof states, Record<keyof typeof events, string>> = {
  idle: {
    ...{ need: dial, online: '-', connect: dial, welcome: '-', timer: '-' },
    ...{
      lostNow: '-',
      lostBackoff: '-',
      lostSlow: '-',
      lostNever: '-',
      close: 'closed final: down drop',
      ...older,
    },
  },
  connecting: {
    ...{
      need: '-',
      online: '-',
      connect: '-',
      welcome: 'fresh: leave +10000',
      timer: 'waiting: down drop +1000',
    },
    lostNow: 'waiting: down drop +1000',
    lostBackoff: 'waiting: down drop +1000',
    lostSlow: 'waiting: down drop +10000',
    lostNever: 'closed: down drop',
    close: 'closing: down hangUp +2000',
    ...{ goaway: '-', left: 'connecting:', leftNever: 'closed: down drop', fenced: '-' },
  },
  open: {
    ...{ need: '-', online: '-', connect: '-', welcome: '-', timer: 'stable:' },
    lostNow: 'waiting: down drop +1000',
    lostBackoff: 'waiting: down drop +1000',
    lostSlow: 'waiting: down drop +10000',
    lostNever: 'closed: down drop',
    close: 'closing: down hangUp +2000',
    ...older,
    goaway: 'waiting: move +100',
  },
  stable: {
    ...{ need: '-', online: '-', connect: '-', welcome: '-', timer: 'stable:' },
    lostNow: 'connecting: down drop dial +10000',
    lostBackoff: 'waiting: down drop +250',
    lostSlow: 'waiting: down drop +2500',
    lostNever: 'closed: down drop',
    close: 'closing: down hangUp +2000',
    ...older,
    goaway: 'connecting: move dial +10000',
  },
  waiting: {
    ...{ need: '-', online: dial, connect: dial, welcome: '-', timer: dial },
    ...{
      lostNow: '-',
      lostBackoff: '-',
      lostSlow: '-',
      lostNever: '-',
      close: 'closed final: down drop',
      ...{ ...older, leftNever: 'closed: down drop' },
    },
  },
  closing: {
    ...{ need: '-', online: '-', connect: '-', welcome: '-', timer: 'closed final: down drop' },
    lostNow: 'closed final: down drop',
    lostBackoff: 'closed final: down drop',
    lostSlow: 'closed final: down drop',
    lostNever: 'closed final: down drop',
    close: '-',
    ...older,
  },
  fatal: {
    ...{ need: '-', online: '-', connect: dial, welcome: '-', timer: '-' },
    ...{
      lostNow: '-',
      lostBackoff: '-',
      lostSlow: '-',
      lostNever: '-',
      close: 'closed final: down drop',
      ...older,
    },
  },
  final: {
    ...{ need: '-', online: '-', connect: '-', welcome: '-', timer: '-' },
    ...{ lostNow: '-', lostBackoff: '-', lostSlow: '-', lostNever: '-', close: '-', ...older },
  },
}

function outcome(state: State, event: Event): string {
  const [next, effects = [], timer] = transition(state, event, rules)
  if (next === state) return effects.length === 0 && timer === undefined ? '-' : 'effects without a change'
  const flag = next.state === 'closed' && next.final ? ' final' : ''
  const parts = [
    `${next.state === 'open' ? (next.stable ? 'stable' : 'fresh') : next.state}${flag}:`,
    ...effects,
    ...(timer === undefined ? [] : [`+${timer}`]),
  ]
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

  it('waits for as long as the server said, and up to as long again, so that not all come at once', () => {
    const told = (after: number, roll: number, attempt = 0) =>
      transition({ ...states.connecting, attempt }, { ...lost('slow'), after, roll } as Event, rules)[0]
        .retryIn
    expect([told(2000, 0), told(2000, 0.5), told(2000, 0.999)]).toEqual([2000, 3000, 3998])
    // Not what is no time, and not more than an hour of what is absurd.
    expect([Number.NaN, -5, 0].map((after) => told(after, 0.5))).toEqual([2500, 2500, 2500])
    expect([1e15, Number.POSITIVE_INFINITY].map((after) => told(after, 0))).toEqual([3_600_000, 3_600_000])
    expect(told(2000, 0.5, 40)).toBe(17_000)
  })

  it('keeps its promises whatever happens in whatever order', () => {
    const seen = new Set<string>()
    for (let seed = 1; seed <= 200; seed++) {
      const random = generator(seed)
      const below = (n: number) => Math.floor(random() * n)
      // Which lines there are: the newer one dialing or open, the older one.
      let [newer, older, timer, closed] = [false, false, false, 0]
      let state: State = IDLE
      for (let step = 0; step < 60; step++) {
        const names = Object.keys(events) as (keyof typeof events)[]
        const event = { ...events[names[below(names.length)] ?? 'need'], roll: random() } as Event
        // What the driver cannot see does not happen.
        if (event.type === 'left' && !older) continue
        if (event.type === 'timer' && !timer) continue
        if ((event.type === 'lost' || event.type === 'goaway') && !newer) continue
        const before = state
        const [next, effects = [], ms] = transition(state, event, rules)
        if (event.type === 'left') older = false
        if (event.type === 'timer') timer = false
        if (next === before) {
          expect(effects).toEqual([])
          continue
        }
        state = next
        timer = ms !== undefined || (timer && next.state === before.state)
        for (const effect of effects) {
          if (effect === 'dial') {
            expect(newer, 'a dial over a line that lives').toBe(false)
            newer = true
          }
          if (effect === 'drop') newer = false
          if (effect === 'move') [older, newer] = [true, false]
        }
        const stable = state.state === 'open' && state.stable
        seen.add(stable ? 'stable' : state.state)
        if (state.state === 'connecting' || state.state === 'open') expect(newer).toBe(true)
        if (state.state === 'waiting' || state.state === 'closed') expect(newer).toBe(false)
        // Every state that nothing from outside need ever end has a timer.
        expect(timer).toBe(!stable && state.state !== 'closed')
        expect(state.retryIn !== undefined).toBe(state.state === 'waiting')
        if (before.state === 'closing' || (before.state === 'closed' && before.final)) closed++
        if (closed > 0) expect(state.state).toBe('closed')
      }
    }
    expect([...seen].sort()).toEqual(['closed', 'closing', 'connecting', 'open', 'stable', 'waiting'])
  })

  it('waits where it is asked to leave as soon as it has come, and longer each time', () => {
    const fresh: State = { ...states.open, attempt: 0 }
    expect(transition(fresh, { type: 'goaway', roll: 0.5, age: 250 }, rules)).toEqual([
      { ...fresh, state: 'connecting' },
      ['move', 'dial'],
      10_000,
    ])
    const [first] = transition(fresh, { type: 'goaway', roll: 0.5, age: 0 }, rules)
    expect(first).toMatchObject({ state: 'waiting', attempt: 1, retryIn: 250 })
  })

  it('takes the time-out of an attempt for a failed one', () => {
    expect(transition(states.connecting, events.timer, rules)[0].closed).toEqual({
      code: 4000,
      reason: 'no WELCOME in time',
    })
  })
})
