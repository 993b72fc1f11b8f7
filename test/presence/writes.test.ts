import { describe, expect, it } from 'vitest'
import { MAX_CHANGES } from '../../plugins/presence/store.js'
import { Writes } from '../../plugins/presence/writes.js'

const one = (): number => 1
const none = (): number => 0

describe('what is still to be written', () => {
  it('is the newest of each user', () => {
    const writes = new Writes()
    writes.add('ann')
    writes.setState('ann', '1')
    writes.setState('ann', '2')
    writes.setState('ann', '3', true)
    expect(writes.take(one)).toEqual([{ user: 'ann', connections: 1, state: '2', restores: false }])
  })

  it('ends a user who is back before their return, so that the state ends too', () => {
    const writes = new Writes()
    writes.setState('ann', '1')
    writes.end('ann')
    writes.add('ann')
    expect(writes.take(one)).toEqual([
      { user: 'ann', connections: 0 },
      { user: 'ann', connections: 1, state: undefined, restores: false },
    ])
    writes.done()
    writes.end('bob')
    expect(writes.take(none)).toEqual([{ user: 'bob', connections: 0 }])
  })

  it('is taken one change at a time, and no larger than a change may be', () => {
    const writes = new Writes()
    for (let i = 0; i < MAX_CHANGES; i++) writes.end(`u${i}`)
    const first = writes.take(one)
    expect(first.length).toBeLessThanOrEqual(MAX_CHANGES)
    expect(writes.isDue).toBe(false)
    writes.done()
    const second = writes.take(one)
    expect(first.length + second.length).toBe(2 * MAX_CHANGES)
    writes.done()
    expect(writes.isEmpty).toBe(true)
  })

  it.each([
    ['nothing newer', () => undefined, { connections: 1, state: '1', restores: false }],
    [
      'a newer state',
      (writes: Writes) => writes.setState('ann', '2'),
      { connections: 1, state: '2', restores: false },
    ],
    [
      'a state to restore',
      (writes: Writes) => writes.setState('ann', '2', true),
      { connections: 1, state: '1', restores: false },
    ],
  ])('waits again where it failed: with %s', (_name, meanwhile, expected) => {
    const writes = new Writes()
    writes.setState('ann', '1')
    writes.take(one)
    meanwhile(writes)
    writes.failed()
    expect(writes.take(one)).toEqual([{ user: 'ann', ...expected }])
  })

  it('is over where the user has left meanwhile, and their end is not forgotten', () => {
    const writes = new Writes()
    writes.setState('ann', '1')
    writes.take(one)
    writes.end('ann')
    writes.failed()
    expect(writes.take(none)).toEqual([{ user: 'ann', connections: 0 }])
    writes.done()
    writes.end('bob')
    writes.take(none)
    writes.add('bob')
    writes.failed()
    expect(writes.take(one)).toMatchObject([
      { user: 'bob', connections: 0 },
      { user: 'bob', connections: 1 },
    ])
  })
})
