/** A handle on a room. Making one does no I/O. */
import type { Link } from './connection.js'
import { failed } from './errors.js'
import { createListenerMap, createListeners, createNotice, type Report } from './listeners.js'
import type { Holder, Membership } from './membership.js'
import type { Rooms } from './rooms.js'
import { isClosed } from './state.js'
import type { Joined, PublicationInfo, Room } from './types.js'

/** The events of a room whose contract is not known here. */
type AnyEvents = Record<string, { readonly payload: unknown }>

/** Makes a handle. `params` are those of now; throws what JSON cannot carry. */
export function createRoom(
  link: Link,
  rooms: Rooms,
  report: Report,
  name: string,
  given: unknown,
): Room<AnyEvents> {
  const params: Record<string, unknown> = JSON.parse(JSON.stringify(given ?? {}))
  const notice = createNotice(report)
  const events = createListenerMap<[payload: unknown, info: PublicationInfo]>(report)
  let membership: Membership | undefined
  let answer: Promise<Joined> | undefined

  const holder: Holder = {
    events,
    gap: createListeners(report),
    left: createListeners(report),
    changed: notice.changed,
    released() {
      membership = answer = undefined
      notice.changed()
    },
  }

  return {
    on: events.add,
    onGap: holder.gap.add,
    onLeft: holder.left.add,
    join(options = {}) {
      if (answer) return answer
      link.need()
      if (isClosed(link.get())) return Promise.resolve(failed(name, 'CLOSED'))
      const held = rooms.find(name, params, options)
      membership = held
      const joined = new Promise<Joined>((resolve) => held.hold(holder, resolve))
      answer = joined
      notice.changed()
      held.flush()
      return joined
    },
    leave: () => membership?.leave(holder),
    get state() {
      if (!membership) return 'out'
      return membership.joined ? 'joined' : 'joining'
    },
    subscribe: notice.subscribe,
  }
}
