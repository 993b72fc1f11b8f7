import { describe, expect, it } from 'vitest'
import { createClock } from '../../client/testing/clock.js'
import { Timeouts } from '../../plugins/gateway/timeouts.js'

/** Waits of 5,000 ms, and at what time each ended. */
function start(onTimeout: (name: string) => void = () => {}) {
  const clock = createClock()
  const ended: Array<readonly [string, number]> = []
  const timeouts: Timeouts<string> = new Timeouts(clock, 5000, (name) => {
    ended.push([name, clock.now()])
    onTimeout(name)
  })
  return { clock, ended, timeouts }
}

describe('waits of one length', () => {
  it('end each at its time, with one timer', () => {
    const { clock, ended, timeouts } = start()
    timeouts.add('a')
    clock.advance(10)
    for (const name of ['b', 'c']) timeouts.add(name)
    expect(clock.pending).toBe(1)
    clock.advance(20_000)
    expect(ended).toEqual([
      ['a', 5000],
      ['b', 5010],
      ['c', 5010],
    ])
    expect([timeouts.size, clock.pending]).toEqual([0, 0])
  })

  it('are not put off by one that begins where another ends', () => {
    const { clock, ended, timeouts } = start((name) => {
      if (name === 'a') timeouts.add('next')
    })
    timeouts.add('a')
    clock.advance(10)
    timeouts.add('b')
    clock.advance(20_000)
    expect(ended).toEqual([
      ['a', 5000],
      ['b', 5010],
      ['next', 10_000],
    ])
    expect(clock.pending).toBe(0)
  })

  it('do not end where another, which ended at the same time, has taken them back or begun them anew', () => {
    const { clock, ended, timeouts } = start((name) => {
      if (name !== 'a') return
      timeouts.delete('b')
      timeouts.delete('c')
      timeouts.add('c')
    })
    for (const name of ['a', 'b', 'c']) timeouts.add(name)
    clock.advance(5000)
    expect(ended).toEqual([['a', 5000]])
    clock.advance(5000)
    expect(ended).toEqual([
      ['a', 5000],
      ['c', 10_000],
    ])
    expect(clock.pending).toBe(0)
  })

  it('that are taken back leave no timer', () => {
    const { clock, ended, timeouts } = start()
    for (const name of ['a', 'b']) timeouts.add(name)
    for (const name of ['a', 'b', 'nobody']) timeouts.delete(name)
    expect(clock.pending).toBe(0)
    clock.advance(10_000)
    expect(ended).toEqual([])
  })
})
