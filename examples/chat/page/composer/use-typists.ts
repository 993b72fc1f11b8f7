import { useEvent, useRoom } from 'ackord/react'
import { useEffect, useState } from 'react'
import type { ChannelId } from '../chat.client.js'
import { useSession } from '../session/use-session.js'

/** Milliseconds somebody counts as typing after their last sign of it. */
const LASTS = 4000
/** At most this many are kept. */
const KEPT = 8

interface Typist {
  readonly user: string
  /** On the page's monotonic clock, in milliseconds. */
  readonly until: number
}

/** Who types in a channel, the last to start last. */
export function useTypists(channelId: ChannelId): readonly string[] {
  const { chat, name } = useSession()
  const { room } = useRoom(chat.rooms.channel, { channelId })
  const [typists, setTypists] = useState<readonly Typist[]>([])

  useEvent(room, 'typing', ({ user }) => {
    if (user === name) return
    setTypists((old) => [...without(old, user), { user, until: performance.now() + LASTS }].slice(-KEPT))
  })
  useEvent(room, 'posted', ({ from }) => setTypists((old) => without(old, from)))

  // A sign of life moves a typist to the end: the first is always the first to go.
  const first = typists[0]
  useEffect(() => {
    if (!first) return
    const timer = setTimeout(
      () => setTypists((old) => without(old, first.user)),
      first.until - performance.now(),
    )
    return () => clearTimeout(timer)
  }, [first])

  return typists.map(({ user }) => user)
}

const without = (typists: readonly Typist[], user: string): readonly Typist[] =>
  typists.some((typist) => typist.user === user) ? typists.filter((typist) => typist.user !== user) : typists
