/** The rooms of a client: one membership each, found by room and params, and by the server's key. */
import type { FrameOf } from '../contract/wire/frames.js'
import type { Channel } from './channel.js'
import type { Link } from './connection.js'
import { createMembership, type Membership } from './membership.js'
import type { Settings } from './settings.js'
import type { State } from './state.js'
import type { JoinOptions } from './types.js'

/** The memberships of a client. */
export interface Rooms {
  /** The membership of a room: the one there is, or a new one that starts as `options` say. */
  find(room: string, params: Record<string, unknown>, options: JoinOptions): Membership
  receive(frame: FrameOf<'PUBLICATION' | 'LEFT'>): void
  /** Sends the JOINs that are due, as far as the connection has room. */
  flush(): void
  down(state: State, channel: Channel): void
}

/** No membership yet. */
export function createRooms(link: Link, settings: Settings): Rooms {
  const memberships = new Map<string, Membership>()
  const byKey = new Map<string, Membership>()
  // Those with a JOIN to send, in order; on another channel all have.
  let due = new Set<Membership>()
  let channel = link.channel

  function flush(): void {
    if (channel !== link.channel) due = new Set(memberships.values())
    channel = link.channel
    for (const membership of due) {
      if (!membership.flush()) return
      due.delete(membership)
    }
  }

  return {
    find(room, params, options) {
      const id = JSON.stringify([room, Object.entries(params).sort()])
      const found = memberships.get(id)
      if (found) return found
      let key = ''
      const forget = () => {
        if (byKey.get(key) === made) byKey.delete(key)
      }
      const made = createMembership(link, settings, room, params, options, {
        joined(given) {
          forget()
          key = given
          byKey.set(key, made)
        },
        due() {
          due.add(made)
          flush()
        },
        gone() {
          memberships.delete(id)
          due.delete(made)
          forget()
        },
      })
      memberships.set(id, made)
      due.add(made)
      return made
    },
    // A key that no membership has belongs to a room that the server joined this connection to, or that was just left.
    receive: (frame) => byKey.get(frame[1])?.receive(frame),
    flush,
    down(state, channel) {
      for (const membership of memberships.values()) membership.down(state, channel)
    },
  }
}
