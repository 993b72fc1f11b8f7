import { describe, expect, it } from 'vitest'
import type { Message } from '../../examples/chat/page/chat.client.js'
import { emptyFeeds, type FeedAction, reduceFeeds } from '../../examples/chat/page/model/feeds.js'
import { formatDay, hueOf, initials } from '../../examples/chat/page/model/format.js'
import { type Line, toDays, toLines } from '../../examples/chat/page/model/timeline.js'

const message = (at: number, from = 'Ada'): Message => ({ id: `m${at}`, from, text: `text ${at}`, at })
const general = (...actions: FeedAction[]) => actions.reduce(reduceFeeds, emptyFeeds).general
const posted = (at: number, unread = false): FeedAction => ({
  channelId: 'general',
  type: 'posted',
  message: message(at),
  unread,
})
const listed = (...messages: Message[]): FeedAction => ({ channelId: 'general', type: 'listed', messages })
const times = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => message(from + i))

describe('the feeds', () => {
  it('hold each message once, by time, however it comes', () => {
    const feed = general(posted(3), listed(message(1), message(3)), posted(2), posted(3))
    expect(feed.messages.map(({ at }) => at)).toEqual([1, 2, 3])
    expect(feed.loaded).toBe(true)
  })

  it('hold the newest 500', () => {
    const feed = general(...Array.from({ length: 510 }, (_, i) => posted(i)))
    expect(feed.messages.map(({ at }) => at)).toEqual(Array.from({ length: 500 }, (_, i) => i + 10))
  })

  it('keep what was shown when a list continues it, and drop it when messages between may be missing', () => {
    expect(general(posted(1), listed(message(9))).messages).toHaveLength(2)
    expect(general(posted(1), listed(...times(9, 58))).messages).toHaveLength(50)
    expect(general(posted(20), listed(...times(9, 58)), posted(1)).messages).toHaveLength(51)
  })

  it('count what nobody has seen, each once, until somebody looks', () => {
    expect(general(posted(1, true), posted(1, true), posted(2, true)).unread).toBe(2)
    const seen = { channelId: 'general', type: 'seen' } as const
    expect(general(posted(1, true), seen).unread).toBe(0)
    expect(reduceFeeds(emptyFeeds, seen)).toBe(emptyFeeds)
  })
})

describe('the timeline', () => {
  const line = (at: number, from = 'Ada'): Line => ({ key: `k${at}`, from, text: '', at, standing: 'sent' })
  const noon = new Date(2026, 0, 5, 12).getTime()
  const minute = 60_000

  it('shows what waits behind everything else, and only what waits for this channel', () => {
    const entry = (id: string, call: string, input: unknown) => ({ id, call, input, at: 0, sent: id === 'a' })
    const outbox = [
      entry('a', 'message.send', { channelId: 'general', text: 'one' }),
      entry('b', 'message.send', { channelId: 'random', text: 'elsewhere' }),
      entry('c', 'message.list', { channelId: 'general' }),
      entry('d', 'message.send', { channelId: 'general', text: 'two' }),
    ]
    const refused = { key: 'r', text: 'no', at: 6, reason: 'why' }
    const feed = general(posted(7), posted(5), { channelId: 'general', type: 'refused', refused })
    expect(toLines(feed, outbox, 'general', 'Ada').map(({ key, standing }) => `${key} ${standing}`)).toEqual([
      'm5 sent',
      'r refused',
      'm7 sent',
      'a sending',
      'd waiting',
    ])
  })

  it('groups by day, author and pauses', () => {
    const lines = [
      line(noon - 24 * 60 * minute),
      line(noon),
      line(noon + 4 * minute),
      line(noon + 5 * minute, 'Grace'),
      line(noon + 6 * minute),
      line(noon + 12 * minute),
    ]
    const shape = toDays(lines).map(({ groups }) =>
      groups.map((group) => `${group.from} ${group.lines.length}`),
    )
    expect(shape).toEqual([['Ada 1'], ['Ada 2', 'Grace 1', 'Ada 1', 'Ada 1']])
  })
})

describe('the formats', () => {
  it('name days', () => {
    const now = new Date(2026, 2, 1, 9)
    expect(formatDay(new Date(2026, 2, 1, 1).getTime(), now)).toBe('Today')
    expect(formatDay(new Date(2026, 1, 28, 23).getTime(), now)).toBe('Yesterday')
    expect(formatDay(new Date(2026, 1, 27, 23).getTime(), now)).toContain('27')
  })

  it('make initials and a colour of any name', () => {
    expect(['Ada', 'grace Brewster hopper', '😀 x', ''].map(initials)).toEqual(['A', 'GH', '😀X', ''])
    expect(hueOf('Ada')).toBe(hueOf('Ada'))
    expect(hueOf('Grace') % 30).toBe(0)
  })
})
