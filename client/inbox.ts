/** The user's own log: recoverable events outside rooms. PROTOCOL.md § Inbox. */
import type { Core } from './core.js'
import { createListeners } from './listeners.js'
import { checkStart } from './room.js'
import { roomsOf } from './rooms.js'
import type { GapReason } from './types.js'

/** What events get from it. */
export interface InboxEvents {
  onGap(listener: (reason: GapReason) => unknown): () => void
}

/** Makes the inbox of a client. Throws a TypeError where its options are no start. */
export type MakeInbox = (core: Core) => InboxEvents

/**
 * What treats recoverable events outside rooms: a room without a name, joined on every connection for as long as the client lives. A descriptor
 * with any brings it along: the clients of other contracts carry nothing of it.
 */
export const inbox: MakeInbox = (core) => {
  const { report, options } = core.settings
  const start = options.inbox ?? {}
  checkStart('inbox', start)
  const gap = createListeners<[reason: GapReason]>(report)
  const nothing = (): void => {}
  roomsOf(core)
    .find({ room: '', params: {}, options: start, lasting: true })
    .hold({
      events: core.events.listeners,
      gap,
      left: createListeners(report),
      changed: nothing,
      released: nothing,
    })
  return { onGap: gap.add }
}
