import { describe, expect, it } from 'vitest'
import { createClock } from '../../client/testing/clock.js'
import { addressKey } from '../../plugins/gateway/gate/address.js'
import { Authentications } from '../../plugins/gateway/gate/authentications.js'
import { Cap } from '../../plugins/gateway/gate/cap.js'
import { eventLoopLag, Load } from '../../plugins/gateway/gate/load.js'
import { Seldom } from '../../plugins/gateway/gate/seldom.js'
import { eventually } from './support.js'

describe('an address', () => {
  it('of IPv4 counts by itself, however it is written', () => {
    for (const ip of ['192.0.2.7', '::ffff:192.0.2.7', '::FFFF:192.0.2.7', '64:ff9b::192.0.2.7'])
      expect(addressKey(ip)).toBe('192.0.2.7')
    expect(addressKey('192.0.2.8')).not.toBe(addressKey('192.0.2.7'))
  })

  it('of IPv6 counts with its /64', () => {
    const same = [
      '2001:db8:1:2::1',
      '2001:db8:1:2:ffff:ffff:ffff:ffff',
      '2001:0db8:0001:0002:0:0:0:9',
      '2001:DB8:1:2:3::',
      '2001:db8:1:2::%eth0',
    ]
    for (const ip of same) expect(addressKey(ip)).toBe('2001:db8:1:2')
    for (const ip of ['2001:db8:1:3::1', '2001:db8::1:2:0:0', '2001:db8::2', '::1', '::'])
      expect(addressKey(ip)).not.toBe('2001:db8:1:2')
    expect(addressKey('2001:db8::9')).toBe(addressKey('2001:db8:0:0:1::'))
    expect(addressKey('::1')).toBe('0:0:0:0')
    expect(addressKey('fe80::1%eth0')).toBe('fe80:0:0:0')
  })

  it('that is none has no key, and one that a proxy made up no long one', () => {
    expect(addressKey(undefined)).toBeUndefined()
    expect(addressKey('')).toBeUndefined()
    for (const made of ['x'.repeat(9999), `${'x'.repeat(9999)}.1`, `:${'.'.repeat(9999)}`, ':'.repeat(9999)])
      expect(addressKey(made)?.length).toBeLessThanOrEqual(64)
  })
})

describe('a cap', () => {
  it('counts all and each key, and forgets a key with the last of it', () => {
    const cap = new Cap(4, 2)
    for (const key of ['a', 'a', 'b', undefined]) cap.add(key)
    expect([cap.size, cap.keys, cap.isFull]).toEqual([4, 2, true])
    expect(['a', 'b', 'c', undefined].map((key) => cap.isFullFor(key))).toEqual([true, false, false, false])
    for (const key of ['a', 'b', undefined]) cap.delete(key)
    expect([cap.size, cap.keys, cap.isFull, cap.isFullFor('a')]).toEqual([1, 1, false, false])
    cap.delete('a')
    expect([cap.size, cap.keys]).toEqual([0, 0])
  })
})

describe('authentications', () => {
  /** Some that end when they are told to. */
  function start(most: number, ms = 1000) {
    const clock = createClock()
    const authentications = new Authentications(clock, most, ms)
    const begun: number[] = []
    const ends: Array<(value: string) => void> = []
    const settled: unknown[] = []
    let count = 0
    const run = (isWanted?: () => boolean, address?: string): void => {
      const n = count++
      const work = () => {
        begun.push(n)
        return new Promise<string>((resolve) => {
          ends[n] = resolve
        })
      }
      authentications.run(work, { isWanted, address }).then(
        (value) => settled.push([n, value]),
        ({ status, code }: { status: number; code: string }) => settled.push([n, status, code]),
      )
    }
    const end = async (n: number) => {
      ends[n]?.('done')
      await Promise.resolve()
      await Promise.resolve()
    }
    return { clock, authentications, begun, settled, run, end }
  }

  it('run so many at once, and the others in their order', async () => {
    const { authentications, begun, settled, run, end } = start(2)
    for (let i = 0; i < 4; i++) run()
    expect(begun).toEqual([0, 1])
    expect([authentications.running, authentications.waiting]).toEqual([2, 2])
    await end(1)
    expect(begun).toEqual([0, 1, 2])
    await end(0)
    await end(3)
    await end(2)
    await eventually(() =>
      expect(settled).toEqual([
        [1, 'done'],
        [0, 'done'],
        [3, 'done'],
        [2, 'done'],
      ]),
    )
    expect([authentications.running, authentications.waiting]).toEqual([0, 0])
  })

  it('refuse at once beyond ten that wait for each that runs', async () => {
    const { authentications, settled, run } = start(1)
    for (let i = 0; i < 12; i++) run()
    await eventually(() => expect(settled).toEqual([[11, 503, 'OVERLOADED']]))
    expect([authentications.running, authentications.waiting]).toEqual([1, 10])
  })

  it('refuse one that waited for half the time of a handshake', async () => {
    const { clock, authentications, begun, settled, run, end } = start(1)
    run()
    clock.advance(200)
    run()
    clock.advance(499)
    expect(authentications.waiting).toBe(1)
    clock.advance(1)
    await eventually(() => expect(settled).toEqual([[1, 503, 'OVERLOADED']]))
    await end(0)
    expect(begun).toEqual([0])
    expect(clock.pending).toBe(0)
  })

  it('give up one that takes too long, and let the next one run', async () => {
    const { clock, authentications, begun, settled, run, end } = start(1)
    run()
    clock.advance(600)
    run()
    clock.advance(400)
    await eventually(() => expect(settled).toEqual([[0, 503, 'UNAVAILABLE']]))
    expect(begun).toEqual([0, 1])
    await end(0)
    expect([authentications.running, settled.length]).toEqual([1, 1])
    await end(1)
    await eventually(() => expect(settled).toHaveLength(2))
    expect([authentications.running, clock.pending]).toEqual([0, 0])
  })

  it('do not run for somebody who has gone', async () => {
    const { authentications, begun, run, end } = start(1)
    run()
    run(() => false)
    run(() => true)
    await end(0)
    expect(begun).toEqual([0, 2])
    expect([authentications.running, authentications.waiting]).toEqual([1, 0])
  })

  it('of one address are at most a quarter of those that run and wait', async () => {
    const { authentications, settled, run, end } = start(4)
    for (let i = 0; i < 12; i++) run(undefined, 'one')
    await eventually(() => expect(settled).toEqual([[11, 429, 'TOO_MANY_CONNECTIONS']]))
    for (let i = 0; i < 12; i++) run(undefined, 'other')
    await eventually(() => expect(settled).toHaveLength(2))
    // Who has no address counts by nobody.
    for (let i = 0; i < 22; i++) run()
    expect([authentications.running, authentications.waiting]).toEqual([4, 40])
    await end(0)
    run(undefined, 'one')
    expect([authentications.running, authentications.waiting, settled.length]).toEqual([4, 40, 3])
  })

  it('give their share back, however they end', async () => {
    const { clock, authentications, run } = start(4)
    for (let i = 0; i < 11; i++) run(i < 8 ? undefined : () => false, 'one')
    expect(authentications.addresses).toBe(1)
    clock.advance(500)
    clock.advance(500)
    await eventually(() => expect([authentications.running, authentications.addresses]).toEqual([0, 0]))
    expect(clock.pending).toBe(0)
  })

  it('go on after one that throws', async () => {
    const authentications = new Authentications(createClock(), 1, 1000)
    await expect(authentications.run(() => Promise.reject(new Error('no')))).rejects.toThrow('no')
    await expect(authentications.run(async () => 'yes')).resolves.toBe('yes')
  })
})

describe('load', () => {
  function measured(most: number) {
    const clock = createClock()
    let lag = 0
    let reads = 0
    const meter = {
      read: () => {
        reads++
        return lag
      },
      stop: () => {},
    }
    const load = new Load(clock, most, meter)
    return {
      load,
      reads: () => reads,
      isLateAfter(ms: number, now: number) {
        lag = now
        clock.advance(ms)
        return load.isLate
      },
    }
  }

  it('is late where the loop was late in two windows in a row, and no longer after one in which it was not', () => {
    const { isLateAfter } = measured(200)
    expect(isLateAfter(250, 201)).toBe(false)
    expect(isLateAfter(250, 201)).toBe(true)
    expect(isLateAfter(250, 200)).toBe(false)
    expect(isLateAfter(250, 5000)).toBe(false)
    expect(isLateAfter(250, 5000)).toBe(true)
  })

  it('reads at most once in 250 ms, however often it is asked', () => {
    const { load, isLateAfter, reads } = measured(200)
    for (let i = 0; i < 1000; i++) isLateAfter(1, 0)
    for (let i = 0; i < 1000; i++) expect(load.isLate).toBe(false)
    expect(reads()).toBe(4)
  })

  it('is measured by the event loop itself', async () => {
    const meter = eventLoopLag()
    const turn = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))
    await turn(60)
    meter.read()
    for (let i = 0; i < 3; i++) {
      const until = performance.now() + 150
      while (performance.now() < until);
      await turn(0)
    }
    expect(meter.read()).toBeGreaterThan(50)
    meter.stop()
    meter.stop()
  })
})

describe('what a peer can cause at will', () => {
  it('is told once a minute for each of at most 100 keys, and counted', () => {
    const clock = createClock()
    const seldom = new Seldom(clock)
    const told: Array<readonly [string, number]> = []
    const tell = (key: string) => seldom.tell(key, (unsaid) => told.push([key, unsaid]))
    for (let i = 0; i < 3; i++) tell('a')
    tell('b')
    expect(told).toEqual([
      ['a', 0],
      ['b', 2],
    ])
    for (let i = 0; i < 1000; i++) tell(`made up ${i}`)
    expect(told).toHaveLength(100)
    clock.advance(59_999)
    tell('a')
    expect(told).toHaveLength(100)
    clock.advance(1)
    tell('a')
    expect(told.at(-1)).toEqual(['a', 903])
  })
})
