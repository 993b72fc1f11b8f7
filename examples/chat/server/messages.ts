/** The handlers. Inputs are valid here, and the user is who the token says. */
import { live } from './live.js'
import type { Store } from './store.js'

/** How many messages `message.list` answers with. */
const PAGE = 50
/** Slow mode: one person says at most this much, in this many milliseconds, in one channel. */
const BURST = { messages: 20, ms: 5000 }

/** The chat's calls over a store. */
export const messageCalls = (store: Store) =>
  live.calls({
    'message.send': async ({ channelId, text }, { user, fail, rooms, connection }) => {
      const now = Date.now()
      const recent = store
        .newest(channelId, 10 * BURST.messages)
        .filter((message) => message.from === user.id && message.at > now - BURST.ms)
      const first = recent.at(-BURST.messages)
      if (first) fail('SLOW_DOWN', { seconds: Math.ceil((first.at + BURST.ms - now) / 1000) })
      const message = store.add(channelId, user.id, text)
      await rooms.channel({ channelId }).publish('posted', message, { except: connection })
      return { id: message.id, at: message.at }
    },

    'message.list': ({ channelId }) => [...store.newest(channelId, PAGE)],

    'topic.set': async ({ channelId, text }, { user, rooms }) => {
      await rooms.channel({ channelId }).publish('topic', { channelId, text, by: user.id })
    },

    typing: async ({ channelId }, { user, rooms, connection }) => {
      await rooms.channel({ channelId }).publish('typing', { user: user.id }, { except: connection })
    },
  })
