import { type Dispatch, useCallback } from 'react'
import type { ChannelId } from './chat.client.js'
import type { FeedAction } from './model/feeds.js'
import { explain } from './model/problems.js'
import { useSession } from './session/use-session.js'

/**
 * Says something in a channel. Until the ack the message stands in the outbox, and the page shows it from
 * there; the ack makes it a message like any other; a refusal is kept for another try.
 */
export function useSend(dispatch: Dispatch<FeedAction>, onProblem: (text: string) => void) {
  const { chat, name } = useSession()
  return useCallback(
    async (channelId: ChannelId, text: string) => {
      const result = await chat.calls.message.send.result({ channelId, text })
      if (result.ok) {
        const message = { ...result.value, from: name, text }
        return dispatch({ type: 'posted', channelId, message, unread: false })
      }
      const { error } = result
      if (error.code === 'CANCELLED' || error.code === 'CLOSED') return
      const refused = { key: `refused ${performance.now()}`, text, at: Date.now(), reason: explain(error) }
      dispatch({ type: 'refused', channelId, refused })
      onProblem(`Not sent. ${refused.reason}.`)
    },
    [chat, name, dispatch, onProblem],
  )
}
