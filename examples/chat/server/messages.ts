/** The handlers. Inputs are valid here, and the user is who the token says. */
import { live } from './live.js'
import type { Store } from './store.js'

/** How many messages `message.list` answers with. */
const PAGE = 50

/** The chat's calls over a store. */
export const messageCalls = (store: Store) =>
  live.calls({
    'message.send': async ({ channelId, text }, { user, fail, rooms, connection }) => {
      const added = await store.add(channelId, user.id, text)
      if ('wait' in added) return fail('SLOW_DOWN', { seconds: Math.ceil(added.wait / 1000) })
      const { message } = added
      await rooms.channel({ channelId }).publish('posted', message, { except: connection })
      return { id: message.id, at: message.at }
    },

    'message.list': async ({ channelId }) => [...(await store.newest(channelId, PAGE))],

    'topic.set': async ({ channelId, text }, { user, rooms }) => {
      await rooms.channel({ channelId }).publish('topic', { channelId, text, by: user.id })
    },

    typing: async ({ channelId }, { user, rooms, connection }) => {
      await rooms.channel({ channelId }).publish('typing', { user: user.id }, { except: connection })
    },
  })
