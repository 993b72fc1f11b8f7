import { describe, expect, it } from 'vitest'
import { createClock } from '../../client/testing/index.js'
import type { Clock } from '../../contract/clock.js'
import { Deadlines } from '../../plugins/calls/deadlines.js'

function countTimers() {
  const clock = createClock()
  let armed = 0
  const counting: Clock = {
    now: () => clock.now(),
    wall: () => clock.wall(),
    setTimeout(callback, ms) {
      armed++
      return clock.setTimeout(() => {
        armed--
        callback()
      }, ms)
    },
    clearTimeout: (timer) => clock.clearTimeout(timer),
  }
  return { clock, counting, armed: () => armed }
}

describe('deadlines', () => {
  it('have one timer, also where one that is met sets the next', () => {
    const { clock, counting, armed } = countTimers()
    const deadlines = new Deadlines(counting)
    let met = 0
    const again = {
      due: 0,
      expire() {
        met++
        this.due = clock.now() + 1
        deadlines.delete(this)
        if (met < 20) deadlines.add(this)
      },
    }
    deadlines.add(again)
    deadlines.add({ due: Number.POSITIVE_INFINITY, expire: () => undefined })
    for (let i = 0; i < 20; i++) {
      clock.advance(50)
      expect(armed()).toBe(1)
    }
    expect(met).toBe(20)
  })
})
