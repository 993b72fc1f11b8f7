/** The messages, in memory: a restart forgets them. Yours is a database. */
import { randomUUID } from 'node:crypto'
import type { ChannelId, Message } from '../contract.js'

/** Messages kept a channel; the oldest go first. */
const KEPT = 500

/** What the handlers need of a store. */
export interface Store {
  /** Keeps a message; its time is later than that of any before it in the channel. */
  add(channelId: ChannelId, from: string, text: string): Message
  /** The newest messages, oldest first. */
  newest(channelId: ChannelId, count: number): readonly Message[]
}

/** Makes an empty store. */
export function memoryStore(): Store {
  const channels = new Map<ChannelId, Message[]>()
  return {
    add(channelId, from, text) {
      const messages = channels.get(channelId) ?? []
      channels.set(channelId, messages)
      const at = Math.max(Date.now(), (messages.at(-1)?.at ?? 0) + 1)
      const message = { id: randomUUID(), from, text, at }
      messages.push(message)
      if (messages.length > KEPT) messages.shift()
      return message
    },
    newest: (channelId, count) => channels.get(channelId)?.slice(-count) ?? [],
  }
}
