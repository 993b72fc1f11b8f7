import { useSyncExternalStore } from 'react'
import type { ChannelId } from '../chat.client.js'
import { isChannelId } from '../model/channels.js'

function subscribe(listener: () => void): () => void {
  window.addEventListener('hashchange', listener)
  return () => window.removeEventListener('hashchange', listener)
}

/** The channel in the address bar (`#random`), so that a reload and the back button keep it. */
export function useActiveChannel(): ChannelId {
  const name = useSyncExternalStore(subscribe, () => location.hash.slice(1))
  return isChannelId(name) ? name : 'general'
}
