/** The calls that wait for a connection or an ack, as the application sees them. */
import type { Pending } from './calls.js'
import { createNotice, type Report } from './listeners.js'
import type { Outbox, OutboxEntry } from './types.js'

/** An outbox, and what has to be called when it looks different. */
export interface OutboxView extends Outbox {
  changed(): void
}

/** Looks at `pending` when asked. */
export function createOutbox(pending: () => Iterable<Pending>, report: Report): OutboxView {
  const notice = createNotice(report)
  let picture: readonly OutboxEntry[] | undefined
  const entries = (): readonly OutboxEntry[] => {
    picture ??= [...pending()].flatMap((call) => call.entry() ?? [])
    return picture
  }
  return {
    get size() {
      return entries().length
    },
    entries,
    cancel(id) {
      const call = [...pending()].find((call) => call.entry()?.id === id)
      call?.cancel()
      return call !== undefined
    },
    clear() {
      for (const call of pending()) if (call.entry()) call.cancel()
    },
    subscribe: notice.subscribe,
    changed() {
      picture = undefined
      notice.changed()
    },
  }
}
