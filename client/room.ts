/** A handle on a room. Making one does no I/O. */
import { MAX_TEXT } from '../contract/wire/frames.js'
import type { Link } from './connection.js'
import { failed } from './errors.js'
import { createListenerMap, createListeners, createNotice, type Report } from './listeners.js'
import type { Holder, Membership } from './membership.js'
import type { Rooms } from './rooms.js'
import { isClosed, whyClosed } from './state.js'
import type { Joined, Position, PublicationInfo, Room } from './types.js'

/** The events of a room whose contract is not known here. */
type AnyEvents = Record<string, { readonly payload: unknown }>

/** A position as a server takes it, else it closes for the frame. PROTOCOL.md § Positions. */
const isPosition = (since: Position): boolean =>
  typeof since.epoch === 'string' &&
  since.epoch.length <= MAX_TEXT &&
  [since.offset, since.tag].every((n) => Number.isSafeInteger(n) && n >= 0)

/** Makes a handle. Of `given`, the declared params as they are now; throws what JSON cannot carry. */
export function createRoom(
  link: Link,
  rooms: Rooms,
  report: Report,
  name: string,
  declared: readonly string[],
  given: unknown,
): Room<AnyEvents> {
  const taken: Record<string, unknown> = JSON.parse(JSON.stringify(given ?? {}))
  // The server's key is made of the declared ones: with others beside them one room would be two memberships here.
  const params = Object.fromEntries(Object.entries(taken).filter(([param]) => declared.includes(param)))
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
      const { since, last } = options
      if (since != null && !isPosition(since)) throw new TypeError(`${name}: since is not a position`)
      if (last != null && !(Number.isSafeInteger(last) && last >= 0))
        throw new TypeError(`${name}: last is not an integer of 0 or more`)
      if (answer) return answer
      link.need()
      if (isClosed(link.get())) return Promise.resolve(failed(name, whyClosed(link.get())))
      const held = rooms.find(name, params, options)
      membership = held
      const joined = new Promise<Joined>((resolve) => held.hold(holder, resolve))
      answer = joined
      notice.changed()
      rooms.flush()
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
