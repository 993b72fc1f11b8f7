import { describe, expect, it } from 'vitest'
import { View } from '../../plugins/presence/view.js'

const ALL = Number.POSITIVE_INFINITY
const list = (view: View): unknown => JSON.parse(view.list)
const take = (view: View, bytes = ALL): unknown => JSON.parse(`[${view.take(bytes)}]`)
const at = (view: View, place: string, user: string, connections: number, state?: string): void =>
  view.update(place, [{ user, connections, state }])

describe('the view of a room', () => {
  it('counts connections here as they are, and elsewhere as the store says', () => {
    const view = new View('me')
    view.setOwn('ann', 1)
    at(view, 'you.1', 'ann', 2, '"x"')
    at(view, 'me.1', 'ann', 7, '"x"')
    expect(list(view)).toEqual([['ann', 'x', 3]])
    view.setOwn('ann', 2)
    expect(list(view)).toEqual([['ann', 'x', 4]])
    at(view, 'you.1', 'ann', 0, '"x"')
    view.setOwn('ann', 0)
    expect(list(view)).toEqual([])
  })

  it('says who joined, who changed and who left since it was last taken', () => {
    const view = new View('me')
    for (const user of ['ann', 'bob', 'cid']) at(view, 'you.1', user, 1)
    expect(take(view)).toEqual([
      [
        ['ann', null, 1],
        ['bob', null, 1],
        ['cid', null, 1],
      ],
      [],
      [],
    ])
    at(view, 'you.1', 'ann', 2)
    at(view, 'you.1', 'bob', 0)
    at(view, 'you.1', 'dan', 1, '1')
    expect(take(view)).toEqual([[['dan', 1, 1]], [['ann', null, 2]], ['bob']])
    expect(view.hasChanges).toBe(false)
  })

  it('tells who left and is back as joined, since some may have been given a list without them', () => {
    const view = new View('me')
    at(view, 'you.1', 'ann', 1, '1')
    take(view)
    at(view, 'you.1', 'ann', 0)
    at(view, 'you.1', 'ann', 1)
    expect(take(view)).toEqual([[['ann', null, 1]], [], []])
  })

  it('tells who came and left as left, since some may have been given a list with them', () => {
    const view = new View('me')
    at(view, 'you.1', 'ann', 1)
    expect(list(view)).toEqual([['ann', null, 1]])
    at(view, 'you.1', 'ann', 0)
    expect(take(view)).toEqual([[], [], ['ann']])
  })

  it('leaves for the next time what is beyond the bytes asked for', () => {
    const view = new View('me')
    for (let i = 0; i < 10; i++) at(view, 'you.1', `u${i}`, 1)
    const taken = [0, 1, 2].map(() => (take(view, 50) as unknown[][])[0]?.length)
    expect(taken).toEqual([4, 4, 2])
    expect(view.hasChanges).toBe(false)
  })

  it('knows the bytes of its list, whatever is added, changed and taken away', () => {
    const view = new View('me')
    const check = (): void => {
      const bytes = Buffer.byteLength(view.list)
      expect(view.bytes).toBeGreaterThanOrEqual(bytes)
      expect(view.bytes).toBeLessThanOrEqual(bytes + 1)
    }
    check()
    for (let i = 0; i < 20; i++) {
      at(view, 'you.1', `é${i % 7}`, i % 3, JSON.stringify('€'.repeat(i)))
      check()
    }
  })

  it('shows no user of this node for whom the room has no space, until it has', () => {
    const view = new View('me')
    view.setOwn('ann', 1)
    view.setUnshown(['ann', 'nobody'])
    expect(list(view)).toEqual([])
    expect(take(view)).toEqual([[], [], ['ann']])
    at(view, 'me.1', 'ann', 1, '1')
    expect(list(view)).toEqual([['ann', 1, 1]])
  })

  it('changes from one state of the store to another by what differs', () => {
    const view = new View('me')
    view.setOwn('me too', 1)
    for (const user of ['ann', 'bob']) at(view, 'you.1', user, 1, '1')
    take(view)
    const { version } = view
    const places = new Map([['you.1', 1]])
    view.replace([
      { user: 'ann', state: '1', places },
      { user: 'bob', state: '2', places },
    ])
    expect(take(view)).toEqual([[], [['bob', 2, 1]], []])
    expect(view.version).toBe(version + 1)
    view.replace([])
    expect(take(view)).toEqual([[], [], ['ann', 'bob']])
    expect(list(view)).toEqual([['me too', null, 1]])
  })

  it('forgets the state with the last connection, before the store says so', () => {
    const view = new View('me')
    view.setOwn('ann', 1)
    at(view, 'me.1', 'ann', 1, '1')
    view.setOwn('ann', 0)
    view.setOwn('ann', 1)
    expect(list(view)).toEqual([['ann', null, 1]])
    at(view, 'you.1', 'ann', 1, '2')
    view.setOwn('ann', 0)
    view.setOwn('ann', 1)
    expect(list(view)).toEqual([['ann', 2, 2]])
  })
})
