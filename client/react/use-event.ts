import { useEffect, useRef } from 'react'
import type {
  EventListener,
  Events,
  InboxEvents,
  PayloadIn,
  PublicationInfo,
  Room,
  RoomWithPresence,
} from '../types.js'

/** What all have in common; the overloads say what goes with what: of a type that only extends another, TypeScript infers no events. */
interface Source {
  on(name: never, listener: never): () => void
}

/**
 * Listens to an event of a room, or of a client outside rooms, while the component is mounted. The handler may be another
 * one in each render: the newest is called, and nothing is subscribed anew.
 */
export function useEvent<E extends object, N extends keyof E & string, S>(
  room: RoomWithPresence<E, S>,
  name: N,
  handler: (payload: PayloadIn<E, N>, info: PublicationInfo) => void,
): void
export function useEvent<E extends object, N extends keyof E & string>(
  room: Room<E>,
  name: N,
  handler: (payload: PayloadIn<E, N>, info: PublicationInfo) => void,
): void
export function useEvent<E extends object, N extends keyof E & string>(
  client: { readonly events: InboxEvents<E> },
  name: N,
  handler: EventListener<E, N>,
): void
export function useEvent<E extends object, N extends keyof E & string>(
  client: { readonly events: Events<E> },
  name: N,
  handler: EventListener<E, N>,
): void
export function useEvent(
  from: Source | { readonly events: Source },
  name: string,
  handler: (...args: never[]) => void,
): void {
  const newest = useRef(handler)
  useEffect(() => {
    newest.current = handler
  })
  const source = 'events' in from ? from.events : from
  useEffect(() => {
    const listener = (...args: never[]): void => newest.current(...args)
    return source.on(name as never, listener as never)
  }, [source, name])
}
