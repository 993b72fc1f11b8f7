import { setImmediate } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { createClock } from '../../client/testing/index.js'

describe('a test clock', () => {
  it('stands still until it is moved', async () => {
    const clock = createClock({ wall: 5_000 })
    let ran = false
    clock.setTimeout(() => {
      ran = true
    }, 1)
    for (let turn = 0; turn < 20; turn++) await setImmediate()
    expect([ran, clock.now(), clock.wall(), clock.pending]).toEqual([false, 0, 5_000, 1])
  })

  it('runs what falls due in order, each at its own time', () => {
    const clock = createClock()
    const ran: [string, number][] = []
    const note = (name: string) => () => ran.push([name, clock.now()])
    clock.setTimeout(note('late'), 30)
    clock.setTimeout(note('first'), 10)
    clock.setTimeout(note('second'), 10)
    clock.setTimeout(note('after'), 31)
    clock.advance(30)
    expect(ran).toEqual([
      ['first', 10],
      ['second', 10],
      ['late', 30],
    ])
    expect(clock.pending).toBe(1)
  })

  it('runs timers that timers set, within the same advance', () => {
    const clock = createClock()
    const ran: number[] = []
    const again = () => {
      ran.push(clock.now())
      clock.setTimeout(again, 0)
    }
    clock.setTimeout(again, 0)
    clock.advance(3)
    expect(ran).toEqual([1, 2, 3])
  })

  it('forgets a timer that was cleared, also while another one runs', () => {
    const clock = createClock()
    let ran = false
    clock.setTimeout(() => clock.clearTimeout(second), 1)
    const second = clock.setTimeout(() => {
      ran = true
    }, 1)
    clock.advance(1)
    expect([ran, clock.pending]).toEqual([false, 0])
  })

  it('lets promises settle between timers when it is moved asynchronously', async () => {
    const clock = createClock()
    const sleep = (ms: number) => new Promise<void>((resolve) => clock.setTimeout(resolve, ms))
    const times: number[] = []
    const loop = async () => {
      for (let turn = 0; turn < 3; turn++) {
        await sleep(10)
        await setImmediate()
        times.push(clock.now())
      }
    }
    const done = loop()
    await clock.advanceAsync(30)
    await done
    expect([times, clock.now()]).toEqual([[10, 20, 30], 30])
  })

  it('refuses to be moved by two at once, and can be moved again', async () => {
    const clock = createClock()
    const first = clock.advanceAsync(1)
    await expect(clock.advanceAsync(1)).rejects.toThrow('already being moved')
    await first
    await clock.advanceAsync(1)
    expect(clock.now()).toBe(2)
  })

  it('runs timers late after a sleep', () => {
    const clock = createClock({ wall: 0 })
    const ran: number[] = []
    clock.setTimeout(() => ran.push(clock.now()), 10)
    clock.sleep(3_600_000)
    expect(ran).toEqual([])
    clock.advance(0)
    expect([ran, clock.wall()]).toEqual([[3_600_000], 3_600_000])
  })

  it('lets the wall clock jump without moving time', () => {
    const clock = createClock({ wall: 1_000 })
    clock.setTimeout(() => {}, 10)
    clock.setWall(500)
    clock.advance(5)
    expect([clock.wall(), clock.now(), clock.pending]).toEqual([505, 5, 1])
  })

  it('gives whole milliseconds as wall time, as Date.now() does', () => {
    const clock = createClock({ wall: 1_000 })
    clock.advance(0.75)
    expect([clock.now(), clock.wall()]).toEqual([0.75, 1_000])
  })

  it('throws what a timer throws, and goes on from there', () => {
    const clock = createClock()
    const ran: number[] = []
    clock.setTimeout(() => {
      throw new Error('of the timer')
    }, 1)
    clock.setTimeout(() => ran.push(clock.now()), 2)
    expect(() => clock.advance(10)).toThrow('of the timer')
    expect(clock.now()).toBe(1)
    clock.advance(1)
    expect(ran).toEqual([2])
  })

  it.each([Number.NaN, 2_147_483_648, Number.POSITIVE_INFINITY])('refuses a timer of %s ms', (ms) => {
    expect(() => createClock().setTimeout(() => {}, ms)).toThrow(RangeError)
  })

  it.each([-1, Number.NaN, Number.POSITIVE_INFINITY])('refuses to move by %s ms', async (ms) => {
    const clock = createClock()
    expect(() => clock.advance(ms)).toThrow(RangeError)
    expect(() => clock.sleep(ms)).toThrow(RangeError)
    await expect(clock.advanceAsync(ms)).rejects.toThrow(RangeError)
    expect(clock.now()).toBe(0)
  })
})
