/** The rooms of a client: one membership each, found by room and params, and by the server's key. */
import type { Channel } from './channel.js'
import type { Link, RoomFrame } from './connection.js'
import type { Core } from './core.js'
import { createMembership, type Membership, type Wish } from './membership.js'
import type { Settings } from './settings.js'
import type { State } from './state.js'

/** The memberships of a client. */
export interface Rooms {
  /** The membership of a room: the one there is, or a new one that starts as its options say. */
  find(wish: Wish): Membership
  receive(frame: RoomFrame): void
  /** Sends the JOINs that are due, as far as the connection has room. */
  flush(): void
  /** Sends the JOINs that wait because the server could not, in order. */
  retry(): void
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
    find(wish) {
      const id = JSON.stringify([wish.room, Object.entries(wish.params).sort()])
      const found = memberships.get(id)
      if (found) return found
      let key = ''
      const forget = () => {
        if (byKey.get(key) === made) byKey.delete(key)
      }
      const made = createMembership(link, settings, wish, {
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
    receive: (frame) => byKey.get(frame[0] === 22 ? frame[2] : frame[1])?.receive(frame),
    flush,
    retry() {
      for (const membership of memberships.values()) membership.retry()
    },
    down(state, channel) {
      for (const membership of memberships.values()) membership.down(state, channel)
    },
  }
}

/** The rooms of a client, made when first asked for. */
export function roomsOf(core: Core): Rooms {
  core.rooms ??= createRooms(core.link, core.settings)
  return core.rooms
}
