import { useEvent, useRoom } from 'ackord/react'
import { type Dispatch, useCallback, useEffect } from 'react'
import type { ChannelId } from '../chat.client.js'
import type { FeedAction } from '../model/feeds.js'
import { explain } from '../model/problems.js'
import { useSession } from '../session/use-session.js'

interface Props {
  readonly channelId: ChannelId
  /** Whether somebody looks at it: then nothing is unread. */
  readonly seen: boolean
  /** Whether nobody looks at the page: shown to the others. */
  readonly away: boolean
  readonly dispatch: Dispatch<FeedAction>
  readonly onProblem: (text: string) => void
}

/** Listens to one channel, on screen or not; draws nothing. */
export function ChannelFeed({ channelId, seen, away, dispatch, onProblem }: Props) {
  const { chat, name } = useSession()
  const { room, joined } = useRoom(chat.rooms.channel, { channelId })

  const load = useCallback(async () => {
    const result = await chat.calls.message.list.result({ channelId })
    if (result.ok) dispatch({ type: 'listed', channelId, messages: result.value })
    else if (result.error.code !== 'CLOSED') onProblem(`#${channelId}: ${explain(result.error)}`)
  }, [chat, channelId, dispatch, onProblem])

  useEvent(room, 'posted', (message) => {
    dispatch({ type: 'posted', channelId, message, unread: !seen && message.from !== name })
  })
  useEvent(room, 'topic', ({ text }) => dispatch({ type: 'topic', channelId, text }))

  // Joined first, read second: what is posted in between comes both ways, and is shown once.
  useEffect(() => {
    if (joined?.ok) void load()
    else if (joined) onProblem(`#${channelId}: ${explain(joined.error)}`)
  }, [joined, load, channelId, onProblem])
  // Some events are gone from the log: read again. Until that is done nothing of the room is delivered.
  useEffect(() => room.onGap(load), [room, load])
  useEffect(() => room.presence.set({ away }), [room, away])
  useEffect(() => {
    if (seen) dispatch({ type: 'seen', channelId })
  }, [seen, channelId, dispatch])

  return null
}
