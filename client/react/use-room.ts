import { useEffect, useMemo, useState, useSyncExternalStore } from 'react'
import type { Joined, JoinOptions, Room, RoomState } from '../types.js'

/** What every room handle can do, whatever its events. */
export type Joinable = Pick<Room<object>, 'join' | 'leave' | 'state' | 'subscribe'>

/** A room as a component sees it. */
export interface RoomView<R extends Joinable> {
  /** For `useEvent`, `usePresence`, `onGap` and the like. The same handle while room and params are. */
  readonly room: R
  readonly state: RoomState
  /** What the join came to; `undefined` before, and after the membership has ended. */
  readonly joined: Joined | undefined
}

/** Rooms whose component has gone, until the end of the turn: React may be about to mount it again (StrictMode). */
const leaving = new Map<object, ReturnType<typeof setTimeout>>()

/**
 * Joins a room while the component is mounted: `useRoom(chat.rooms.channel, { channelId })`. Params are compared by value;
 * `options` count for the first join of a handle. Each component has a handle of its own, and a room is joined once.
 */
export function useRoom<P, R extends Joinable>(
  factory: (params: P) => R,
  params: P,
  options?: JoinOptions,
): RoomView<R> {
  const key = JSON.stringify(Object.entries(params ?? {}).sort())
  // biome-ignore lint/correctness/useExhaustiveDependencies: the key is the value of the params.
  const room = useMemo(() => factory(params), [factory, key])
  const [answer, setAnswer] = useState<{ readonly room: object; readonly joined: Joined }>()
  const state = useSyncExternalStore<RoomState>(
    room.subscribe,
    () => room.state,
    () => 'out',
  )
  // biome-ignore lint/correctness/useExhaustiveDependencies: options count for the first join only.
  useEffect(() => {
    let mounted = true
    clearTimeout(leaving.get(room))
    leaving.delete(room)
    void room.join(options).then((joined) => {
      if (mounted) setAnswer({ room, joined })
    })
    return () => {
      mounted = false
      leaving.set(
        room,
        setTimeout(() => {
          leaving.delete(room)
          room.leave()
        }),
      )
    }
  }, [room])
  const current = answer?.room === room && !(answer.joined.ok && state === 'out')
  return { room, state, joined: current ? answer.joined : undefined }
}
