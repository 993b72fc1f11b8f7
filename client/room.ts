/** A handle on a room. Making one does no I/O. */
import { MAX_TEXT } from '../contract/wire/frames.js'
import type { Core } from './core.js'
import { failed } from './errors.js'
import { createListenerMap, createListeners, createNotice } from './listeners.js'
import type { Holder, Membership } from './membership.js'
import type { PresenceParts } from './presence.js'
import { roomsOf } from './rooms.js'
import { isClosed, whyClosed } from './state.js'
import type { Joined, JoinOptions, Position, Presence, PublicationInfo, Room } from './types.js'

/** The events of a room whose contract is not known here. */
type AnyEvents = Record<string, { readonly payload: unknown }>

/** A position as a server takes it, else it closes for the frame. PROTOCOL.md § Positions. */
const isPosition = (since: Position): boolean =>
  typeof since.epoch === 'string' &&
  since.epoch.length <= MAX_TEXT &&
  [since.offset, since.tag].every((n) => Number.isSafeInteger(n) && n >= 0)

/** Throws a TypeError where a server would close for it. */
export function checkStart(name: string, { since, last }: JoinOptions): void {
  if (since != null && !isPosition(since)) throw new TypeError(`${name}: since is not a position`)
  if (last != null && !(Number.isSafeInteger(last) && last >= 0))
    throw new TypeError(`${name}: last is not an integer of 0 or more`)
}

/** A room of the contract, as the descriptor has it. */
export interface RoomDefinition {
  readonly name: string
  /** Which params it is made of. */
  readonly params: readonly string[]
  readonly presence: PresenceParts | undefined
}

/** A handle; with presence where the room has it. */
export type AnyRoom = Room<AnyEvents> & { readonly presence?: Presence<unknown> }

/** Makes a handle. Of `given`, the declared params as they are now; throws what JSON cannot carry. */
export type MakeRoom = (core: Core, definition: RoomDefinition, given: unknown) => AnyRoom

/** What treats rooms. A descriptor that has any brings it along: the clients of other contracts carry nothing of it. */
export const membership: MakeRoom = (core, { name, params: declared, presence }, given) => {
  const { link, settings } = core
  const { report } = settings
  const rooms = roomsOf(core)
  const taken: Record<string, unknown> = JSON.parse(JSON.stringify(given ?? {}))
  // The server's key is made of the declared ones: with others beside them one room would be two memberships here.
  const params = Object.fromEntries(Object.entries(taken).filter(([param]) => declared.includes(param)))
  const notice = createNotice(report)
  const events = createListenerMap<[payload: unknown, info: PublicationInfo]>(report)
  let membership: Membership | undefined
  let answer: Promise<Joined> | undefined
  const shown = presence?.createHandle(name, settings, () => membership?.roster)

  const holder: Holder = {
    events,
    gap: createListeners(report),
    left: createListeners(report),
    changed: notice.changed,
    rosterChanged: () => shown?.changed(),
    released() {
      membership = answer = undefined
      notice.changed()
      shown?.changed()
    },
  }

  return {
    on: events.add,
    onGap: holder.gap.add,
    onLeft: holder.left.add,
    join(options = {}) {
      checkStart(name, options)
      if (answer) return answer
      link.need()
      if (isClosed(link.get())) return Promise.resolve(failed(name, whyClosed(link.get())))
      const held = rooms.find({ room: name, params, options, presence })
      membership = held
      shown?.joined()
      const joined = new Promise<Joined>((resolve) => held.hold(holder, resolve))
      answer = joined
      notice.changed()
      shown?.changed()
      rooms.flush()
      return joined
    },
    leave: () => membership?.leave(holder),
    get state() {
      if (!membership) return 'out'
      return membership.joined ? 'joined' : 'joining'
    },
    subscribe: notice.subscribe,
    ...(shown && { presence: shown }),
  }
}
