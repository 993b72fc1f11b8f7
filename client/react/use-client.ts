import { useSyncExternalStore } from 'react'
import { IDLE } from '../state.js'
import type { Connection, ConnectionSnapshot, Outbox, OutboxEntry } from '../types.js'

// What a server renders, and a browser until it has hydrated: the same object each time.
const NONE: readonly OutboxEntry[] = []

/** The picture of a client's connection; renders again when it changes. Does not connect. */
export function useConnection({ connection }: { readonly connection: Connection }): ConnectionSnapshot {
  return useSyncExternalStore(connection.subscribe, connection.get, () => IDLE)
}

/** The queued calls of a client in their order; renders again when they change. */
export function useOutbox({ outbox }: { readonly outbox: Outbox }): readonly OutboxEntry[] {
  return useSyncExternalStore(outbox.subscribe, outbox.entries, () => NONE)
}
