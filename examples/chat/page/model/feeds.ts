/** What the page knows of each channel, as one pure reducer. */
import type { ChannelId, Message } from '../chat.client.js'
import { CHANNELS } from './channels.js'

/** Messages kept a channel; the oldest go first. */
const KEPT = 500
/** What `message.list` answers with at most. A full answer may leave older ones out. */
const PAGE = 50

/** A message the server refused, kept until it is sent again or discarded. */
export interface Refused {
  readonly key: string
  readonly text: string
  readonly at: number
  readonly reason: string
}

/** One channel. */
export interface Feed {
  /** By time, each once. */
  readonly messages: readonly Message[]
  readonly refused: readonly Refused[]
  /** Whether the list was read; until then an empty channel is not called empty. */
  readonly loaded: boolean
  readonly unread: number
  readonly topic: string
  readonly draft: string
}

/** All channels. */
export type Feeds = Readonly<Record<ChannelId, Feed>>

/** What happens to a channel. */
export type FeedAction = { readonly channelId: ChannelId } & (
  | { readonly type: 'listed'; readonly messages: readonly Message[] }
  | { readonly type: 'posted'; readonly message: Message; readonly unread: boolean }
  | { readonly type: 'seen' }
  | { readonly type: 'topic'; readonly text: string }
  | { readonly type: 'draft'; readonly text: string }
  | { readonly type: 'refused'; readonly refused: Refused }
  | { readonly type: 'discarded'; readonly key: string }
)

const emptyFeed = (topic: string): Feed => ({
  messages: [],
  refused: [],
  loaded: false,
  unread: 0,
  topic,
  draft: '',
})

/** Every channel, before anything is known. */
export const emptyFeeds: Feeds = {
  general: emptyFeed(CHANNELS[0].topic),
  random: emptyFeed(CHANNELS[1].topic),
  support: emptyFeed(CHANNELS[2].topic),
}

/** The reducer. */
export function reduceFeeds(feeds: Feeds, action: FeedAction): Feeds {
  const feed = feeds[action.channelId]
  const next = reduceFeed(feed, action)
  return next === feed ? feeds : { ...feeds, [action.channelId]: next }
}

function reduceFeed(feed: Feed, action: FeedAction): Feed {
  switch (action.type) {
    case 'listed':
      return {
        ...feed,
        loaded: true,
        messages: merge(continued(feed.messages, action.messages), action.messages),
      }
    case 'posted': {
      const messages = merge(feed.messages, [action.message])
      const isNew = !feed.messages.some(({ id }) => id === action.message.id)
      return { ...feed, messages, unread: feed.unread + (action.unread && isNew ? 1 : 0) }
    }
    case 'seen':
      return feed.unread === 0 ? feed : { ...feed, unread: 0 }
    case 'topic':
      return { ...feed, topic: action.text }
    case 'draft':
      return { ...feed, draft: action.text }
    case 'refused':
      return { ...feed, refused: [...feed.refused, action.refused] }
    case 'discarded':
      return { ...feed, refused: feed.refused.filter(({ key }) => key !== action.key) }
  }
}

/** The messages by time, each once, the newest `KEPT`. */
function merge(kept: readonly Message[], more: readonly Message[]): readonly Message[] {
  const byId = new Map([...kept, ...more].map((message) => [message.id, message]))
  return [...byId.values()].sort((a, b) => a.at - b.at).slice(-KEPT)
}

/** What is kept when a list arrives: everything, unless messages between it and the list may be missing. */
function continued(kept: readonly Message[], listed: readonly Message[]): readonly Message[] {
  const oldest = listed[0]
  const mayMiss = oldest !== undefined && listed.length >= PAGE && kept.every(({ at }) => at < oldest.at)
  return mayMiss ? [] : kept
}
