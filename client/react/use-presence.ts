import { useSyncExternalStore } from 'react'
import type { Member, Presence } from '../types.js'

// What a server renders, and a browser until it has hydrated: the same array each time.
const NOBODY: readonly Member<never>[] = []

/** Who is in a room and what they show; renders again when that changes. Does not join: `useRoom` does. */
export function usePresence<S>({ presence }: { readonly presence: Presence<S> }): readonly Member<S>[] {
  return useSyncExternalStore<readonly Member<S>[]>(presence.subscribe, presence.get, () => NOBODY)
}
