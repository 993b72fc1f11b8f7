import type { Publication } from './broker.js'

/** What names one kept value: the event and its key. */
export function slotOf({ event, latestKey = '' }: Pick<Publication, 'event' | 'latestKey'>): string {
  // The length keeps the event 'a' with the key 'b:c' apart from 'a:b' with 'c'.
  return `${event.length}:${event}${latestKey}`
}
