import { describe, expect, it } from 'vitest'
import {
  LATEST_BYTES,
  LATEST_KEYS,
  PUBLISH_ID_SECONDS,
  PUBLISH_IDS,
  type Publication,
} from '../../plugins/rooms/broker.js'
import { Latest } from '../../plugins/rooms/memory/latest.js'
import { PublishIds } from '../../plugins/rooms/memory/publish-ids.js'

const LIFE = PUBLISH_ID_SECONDS * 1000
const value = (latestKey: string, payload = '1'): Publication => ({
  event: 'price',
  delivery: 'latest',
  payload,
  latestKey,
  position: undefined,
})
const keysOf = (latest: Latest) => latest.values('s').map(({ latestKey }) => latestKey)

describe('the latest values of a room', () => {
  it('lose the longest unchanged at the bound of keys', () => {
    const latest = new Latest()
    for (let n = 0; n < LATEST_KEYS; n++) latest.set(value(`k${n}`))
    latest.set(value('k0', '2'))
    expect(latest.size).toBe(LATEST_KEYS)
    latest.set(value('new'))
    expect(latest.size).toBe(LATEST_KEYS)
    expect([keysOf(latest)[0], ...keysOf(latest).slice(-2)]).toEqual(['k2', 'k0', 'new'])
  })

  it('lose the longest unchanged at the bound of bytes, counted in UTF-8', () => {
    const latest = new Latest()
    const third = 'é'.repeat(LATEST_BYTES / 6 - 50)
    for (const key of ['a', 'b', 'c']) latest.set(value(key, third))
    latest.set(value('a', third))
    expect(keysOf(latest)).toEqual(['b', 'c', 'a'])
    latest.set(value('d', third))
    expect(keysOf(latest)).toEqual(['c', 'a', 'd'])
    for (const key of ['c', 'a', 'd']) latest.set(value(key, '1'))
    latest.set(value('e', `${third}${third}`))
    expect(keysOf(latest)).toEqual(['c', 'a', 'd', 'e'])
  })

  it('refuse one that is larger than all may be, and keep the value before it', () => {
    const latest = new Latest()
    latest.set(value('a', 'before'))
    expect(() => latest.set(value('a', 'x'.repeat(LATEST_BYTES)))).toThrow(
      expect.objectContaining({ code: 'TOO_LARGE' }),
    )
    expect(latest.values('s')).toEqual([value('a', 'before')])
  })
})

describe('the publish ids of a room', () => {
  it('are known for their time and forgotten within twice that', () => {
    const ids = new PublishIds(0)
    ids.add('early', null, 0)
    ids.add('late', { epoch: 'e', offset: 1, tag: 1 }, LIFE - 1)
    ids.forget(LIFE)
    expect([ids.find('early'), ids.find('late')]).toEqual([null, { epoch: 'e', offset: 1, tag: 1 }])
    ids.forget(2 * LIFE - 1)
    expect(ids.find('late')).toEqual({ epoch: 'e', offset: 1, tag: 1 })
    ids.forget(2 * LIFE)
    expect([ids.find('early'), ids.find('late'), ids.size]).toEqual([undefined, undefined, 0])
  })

  it('are as many as the bound says at least, and at most twice as many', () => {
    const ids = new PublishIds(0)
    const added = PUBLISH_IDS * 2 + 1
    for (let n = 0; n < added; n++) ids.add(`${n}`, null, 0)
    expect(ids.size).toBeLessThanOrEqual(2 * PUBLISH_IDS)
    for (let n = added - PUBLISH_IDS; n < added; n++)
      if (ids.find(`${n}`) === undefined) throw new Error(`${n}`)
    expect(ids.find('0')).toBeUndefined()
  })
})
