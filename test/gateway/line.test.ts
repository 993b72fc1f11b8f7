import { setImmediate as turned } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { createClock } from '../../client/testing/clock.js'
import { Line } from '../../plugins/gateway/gate/line.js'
import { Refusal } from '../../plugins/gateway/gate/refusal.js'
import { Refusing } from '../../plugins/gateway/gate/refusing.js'

describe('the line of newcomers', () => {
  /** A round has `maxLag` / 30 ms. */
  function open(maxLag: number, most = 1000) {
    const clock = createClock()
    const line = new Line(clock, maxLag, most)
    const entered: number[] = []
    const join = async (name: number, ms: number): Promise<void> => {
      await line.turn()
      // As a handler does that awaits what is there already.
      await Promise.resolve()
      clock.advance(ms)
      entered.push(name)
    }
    return {
      clock,
      line,
      entered,
      join,
      joinAll: (count: number, ms: number) => each(count, (i) => join(i, ms)),
      /** Rounds of their own. */
      async joinApart(count: number, ms: number): Promise<void> {
        for (let i = 0; i < count; i++) {
          await join(i, ms)
          await rest()
        }
      },
    }
  }
  const each = (count: number, work: (i: number) => Promise<void>) =>
    Promise.all(Array.from({ length: count }, (_, i) => work(i)))
  /** Until the round is over, and it is known what one takes. */
  async function rest(): Promise<void> {
    for (let i = 0; i < 20; i++) await turned()
  }
  const tick = () => new Promise<void>((resolve) => process.nextTick(resolve))

  it('is none where there is time: who comes is let in within the turn of the event loop', async () => {
    const { line, entered, joinAll } = open(300)
    const all = joinAll(10, 0)
    for (let i = 0; i < 100 && entered.length < 10; i++) await tick()
    expect([entered.length, line.length, line.isLong]).toEqual([10, 0, false])
    await all
  })

  it('lets in, of those who come at once, what a round has time for, and the others in order', async () => {
    const { line, entered, joinAll } = open(300)
    const all = joinAll(25, 2)
    await turned()
    // Five times 2 ms.
    expect([...entered]).toEqual([0, 1, 2, 3, 4])
    expect(line.length).toBe(20)
    await all
    expect(entered).toEqual(Array.from({ length: 25 }, (_, i) => i))
    expect(line.length).toBe(0)
  })

  it('leaves the event loop sixteen turns between two rounds that took their time', async () => {
    const { entered, joinAll } = open(300)
    const all = joinAll(3, 10)
    await turned()
    for (let turns = 1; turns < 15; turns++) {
      expect(entered.length).toBe(1)
      await turned()
    }
    await turned()
    await turned()
    expect(entered.length).toBe(2)
    await all
  })

  it('lets in one each round at least, however long that takes', async () => {
    const { entered, joinAll } = open(10)
    await joinAll(3, 1000)
    expect(entered).toEqual([0, 1, 2])
  })

  it('is long where who joins would wait for longer than maxLag, and no longer once it has moved', async () => {
    const { line, joinAll, joinApart } = open(300)
    await joinApart(10, 10)
    expect([line.wait, line.isLong]).toEqual([0, false])
    const all = joinAll(200, 10)
    expect(line.wait).toBeGreaterThan(300)
    expect(line.isLong).toBe(true)
    await all
    expect([line.wait, line.isLong]).toEqual([0, false])
  })

  it('is never long for a few, however slow the machine is: they are let in', async () => {
    const { line, entered, joinAll, joinApart } = open(300)
    await joinApart(10, 1000)
    const few = joinAll(16, 1000)
    expect(line.wait).toBeGreaterThan(300)
    expect([line.length, line.isLong]).toEqual([15, false])
    const more = joinAll(2, 1000)
    expect(line.isLong).toBe(true)
    await Promise.all([few, more])
    expect(entered.length).toBe(28)
  })

  it('takes one cold start, and one stop of the machine while somebody waits, for no measure', async () => {
    const { line, clock, joinAll, joinApart } = open(300)
    await joinApart(1, 500)
    expect(line.isLong).toBe(false)
    const first = joinAll(100, 1)
    expect(line.isLong).toBe(false)
    await first
    await rest()
    const second = joinAll(20, 1)
    await turned()
    clock.advance(60_000)
    await second
    await rest()
    const third = joinAll(50, 1)
    expect([line.length, line.isLong]).toEqual([49, false])
    await third
  })

  it('is long where as many stand in it as may, whatever they take', async () => {
    const { line, joinAll } = open(300, 5)
    const few = joinAll(5, 0)
    expect(line.isLong).toBe(false)
    const more = joinAll(1, 0)
    expect(line.isLong).toBe(true)
    await Promise.all([few, more])
    expect(line.isLong).toBe(false)
  })
})

describe('refusals', () => {
  it('leave at once, and in later turns of the event loop what would take longer than 5 ms of one', async () => {
    const clock = createClock()
    const refusing = new Refusing(clock)
    const refused: number[] = []
    const busy = new Refusal(503, 'OVERLOADED', 'busy', 1)
    for (let i = 0; i < 12; i++) {
      const refuse = (refusal: Refusal): void => {
        expect(refusal).toBe(busy)
        clock.advance(1)
        refused.push(i)
      }
      refusing.refuse({ refuse }, busy)
    }
    expect(refused).toEqual([0, 1, 2, 3, 4])
    await turned()
    expect(refused.length).toBe(10)
    await turned()
    expect(refused).toEqual(Array.from({ length: 12 }, (_, i) => i))
  })
})
