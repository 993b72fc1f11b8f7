import { usePresence, useRoom } from 'ackord/react'
import { useMemo } from 'react'
import type { ChannelId } from '../chat.client.js'
import { type Person, toPeople } from '../model/people.js'
import { useSession } from '../session/use-session.js'

/** Who is in a channel, oneself first. */
export function usePeople(channelId: ChannelId): readonly Person[] {
  const { chat, name } = useSession()
  const { room } = useRoom(chat.rooms.channel, { channelId })
  const members = usePresence(room)
  return useMemo(() => toPeople(members, name), [members, name])
}
