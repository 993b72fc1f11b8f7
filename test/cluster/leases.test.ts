import { describe, expect, it } from 'vitest'
import { leasesOf, leaseText } from '../../plugins/cluster/lease-text.js'
import { type Lease, Leases } from '../../plugins/cluster/leases.js'

const lease = (node: string, counter: number, generation = 1): Lease => ({
  node,
  counter,
  generation,
  counts: { '/live': counter },
})

/** Looks every 2 s at whoever `others` says; what each look meant, as `3 lost b`. */
function watch(
  looks: number,
  others: (look: number) => Lease[],
  leases = new Leases('a'),
  from = 0,
): string[] {
  const seen: string[] = []
  for (let i = from; i < from + looks; i++)
    for (const { event, node } of leases.look([lease('a', i), ...others(i)], i * 2000))
      seen.push(`${i} ${event} ${node}`)
  return seen
}

describe('a lease', () => {
  it('whose counter moves is that of a node that lives', () => {
    const leases = new Leases('a')
    expect(watch(100, (i) => [lease('b', i)], leases)).toEqual(['0 joined b'])
    expect(leases.alive()).toEqual([{ id: 'b', counts: { '/live': 99 } }])
  })

  it('whose counter has not moved for 15 s is lost, and lost again every 15 s until it is gone', () => {
    const leases = new Leases('a')
    expect(watch(30, () => [lease('b', 1)], leases)).toEqual([
      '0 joined b',
      '8 lost b',
      '16 lost b',
      '24 lost b',
    ])
    expect([leases.alive(), leases.lostAt('b'), leases.isAlive('b', 1)]).toEqual([[], 1, false])
    expect(watch(20, () => [], leases, 30)).toEqual([])
    expect(leases.lostAt('b')).toBeUndefined()
  })

  it('that vanished, as after a FLUSHALL, is lost 15 s later unless it comes back', () => {
    expect(watch(20, (i) => (i < 2 ? [lease('b', i)] : []))).toEqual(['0 joined b', '9 lost b'])
    expect(watch(20, (i) => (i < 2 || i > 8 ? [lease('b', i)] : []))).toEqual(['0 joined b'])
  })

  it('of a node that comes back from the dead joins again', () => {
    expect(watch(20, (i) => [i < 12 ? lease('b', 1) : lease('b', i, 2)])).toEqual([
      '0 joined b',
      '8 lost b',
      '12 joined b',
    ])
  })

  it('counts afresh after an interruption, and after the observer was away itself', () => {
    const leases = new Leases('a')
    expect(watch(7, () => [lease('b', 1)], leases)).toEqual(['0 joined b'])
    leases.interrupted()
    expect(watch(8, () => [lease('b', 1)], leases, 7)).toEqual([])
    expect(watch(1, () => [lease('b', 1)], leases, 15)).toEqual(['15 lost b'])

    const frozen = new Leases('a')
    watch(2, () => [lease('b', 1)], frozen)
    expect(watch(8, () => [lease('b', 1)], frozen, 100)).toEqual([])
    expect(watch(1, () => [lease('b', 1)], frozen, 108)).toEqual(['108 lost b'])
  })

  it('of a node that said good-bye is not seen again, though a look that was under way shows it', () => {
    const leases = new Leases('a')
    watch(2, (i) => [lease('b', i)], leases)
    expect([leases.left('b'), leases.left('b'), leases.left('c')]).toEqual([true, false, false])
    expect(watch(20, () => [lease('b', 5), lease('c', 5)], leases, 2)).toEqual([])
    expect(leases.alive()).toEqual([])
  })

  it('holds for the generation it names and later ones, not for those given up', () => {
    const leases = new Leases('a')
    leases.look([lease('b', 1, 3)], 0)
    expect([2, 3, 4, undefined].map((generation) => leases.isAlive('b', generation))).toEqual([
      false,
      true,
      true,
      true,
    ])
    expect(leases.isAlive('nobody', undefined)).toBe(false)
  })

  it('is known from its hello on, once', () => {
    const leases = new Leases('a')
    expect([
      leases.joined(lease('b', 1), 0),
      leases.joined(lease('b', 1), 0),
      leases.joined(lease('a', 1), 0),
    ]).toEqual([true, false, false])
    expect(leases.look([lease('b', 2)], 2000)).toEqual([])
  })

  it('is seen of 1,000 others, and of no more', () => {
    const leases = new Leases('a')
    const many = Array.from({ length: 1500 }, (_, i) => lease(`n${i}`, 1))
    expect(leases.look(many, 0)).toHaveLength(1000)
    expect(leases.alive()).toHaveLength(1000)
    for (const { node } of many) leases.left(node)
    expect(leases.alive()).toHaveLength(0)
  })

  it('is read as it was written; what is none is left out', () => {
    const { node, ...own } = lease('b', 7, 2)
    expect(leasesOf([node, leaseText(own)])).toEqual([lease('b', 7, 2)])
    const odd = ['x', '', 'y', '1 2', 'z', '-1 2 {}', 'w', '1 2 {"/live":"many","/b":3}', 'v', '1 2 {x}', 'u']
    expect(leasesOf(odd)).toEqual([
      { node: 'w', counter: 1, generation: 2, counts: { '/b': 3 } },
      { node: 'v', counter: 1, generation: 2, counts: {} },
    ])
    expect(leasesOf(null)).toEqual([])
  })
})
