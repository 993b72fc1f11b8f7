/** `ackord/react`: what a client shows, as hooks. Safe under StrictMode and on a server, where nothing connects. */
import { useEffect, useMemo, useRef, useState, useSyncExternalStore } from 'react'
import type {
  Client,
  ConnectionSnapshot,
  Joined,
  JoinOptions,
  OutboxEntry,
  PublicationInfo,
  Room,
  RoomState,
} from '../types.js'

type PayloadIn<E, N extends keyof E> = E[N] extends { readonly payload: infer P } ? P : never

/** A client of any contract. */
type AnyClient = Pick<Client<object, object, object>, 'connection' | 'outbox'>

/** The connection's newest picture. */
export function useConnection({ connection }: Pick<AnyClient, 'connection'>): ConnectionSnapshot {
  return useSyncExternalStore(connection.subscribe, connection.get, connection.get)
}

/** The calls that wait for a connection or an ack, in order. */
export function useOutbox({ outbox }: Pick<AnyClient, 'outbox'>): readonly OutboxEntry[] {
  return useSyncExternalStore(outbox.subscribe, outbox.entries, outbox.entries)
}

/** A room as `useRoom` gives it. */
export interface RoomInUse<E extends object> {
  /** The same handle as long as the params are the same by value. */
  readonly room: Room<E>
  readonly state: RoomState
  /** What joining came to; `undefined` until it is known. */
  readonly joined: Joined | undefined
}

/**
 * Is in a room while the component is mounted: `useRoom(chat.rooms.channel, { channelId })`. Joins on mounting and leaves one
 * macrotask after unmounting, so that a component that is mounted again at once, as under StrictMode, stays in.
 * `options` are those of the first join.
 */
export function useRoom<P, E extends object>(
  make: (params: P) => Room<E>,
  params: P,
  options?: JoinOptions,
): RoomInUse<E> {
  const key = JSON.stringify(params)
  // biome-ignore lint/correctness/useExhaustiveDependencies: params are compared by value.
  const room = useMemo(() => make(params), [make, key])
  const [answer, setAnswer] = useState<{ room: Room<E>; joined: Joined }>()
  const first = useRef(options)
  const leaving = useRef(new Map<Room<E>, ReturnType<typeof setTimeout>>())

  useEffect(() => {
    const timers = leaving.current
    clearTimeout(timers.get(room))
    timers.delete(room)
    let mounted = true
    void room.join(first.current).then((joined) => {
      if (mounted) setAnswer({ room, joined })
    })
    return () => {
      mounted = false
      const leave = (): void => {
        timers.delete(room)
        room.leave()
      }
      timers.set(room, setTimeout(leave, 0))
    }
  }, [room])

  const state = useSyncExternalStore<RoomState>(
    room.subscribe,
    () => room.state,
    () => 'out',
  )
  return { room, state, joined: answer?.room === room ? answer.joined : undefined }
}

/** Listens to an event of a room, or of a client, while the component is mounted; always calls the newest listener. */
export function useEvent<E extends object, N extends keyof E & string>(
  room: Room<E>,
  name: N,
  listener: (payload: PayloadIn<E, N>, info: PublicationInfo) => void,
): void
export function useEvent<C extends object, E extends object, R extends object, N extends keyof E & string>(
  client: Client<C, E, R>,
  name: N,
  listener: (payload: PayloadIn<E, N>) => void,
): void
export function useEvent(
  source: Room<AnyEvents> | Client<object, AnyEvents, object>,
  name: string,
  listener: (payload: unknown, info: PublicationInfo) => void,
): void {
  const newest = useRef(listener)
  useEffect(() => {
    newest.current = listener
  })
  useEffect(() => {
    if ('events' in source) return source.events.on(name, (payload) => newest.current(payload, NO_INFO))
    return source.on(name, (payload, info) => newest.current(payload, info))
  }, [source, name])
}

type AnyEvents = Record<string, { readonly payload: unknown }>

// Events outside rooms have no place in a log; their listeners are not given this.
const NO_INFO: PublicationInfo = { position: undefined, recovered: false }
