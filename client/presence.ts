/** Who is in a room, and what they show. PROTOCOL.md § Presence. */
import { type FrameOf, STATE_BYTES, type WireMember } from '../contract/wire/frames.js'
import { snapshot } from './calls.js'
import type { Channel } from './channel.js'
import { Failure } from './errors.js'
import { createNotice } from './listeners.js'
import type { Settings } from './settings.js'
import type { Member, Presence } from './types.js'

/** The presence of one membership: who is there, and the state that this connection shows. */
export interface Roster {
  /** The same array until it changes. */
  get(): readonly Member<unknown>[]
  /** Shows this state, behind each JOIN too. */
  set(state: unknown): void
  /** A JOIN has left: the state follows it. */
  joining(): void
  /** Everybody who is there, from JOINED; absent where that says nothing of it. */
  joined(members: readonly WireMember[] | null | undefined): void
  receive(frame: FrameOf<'S_PRESENCE'>): void
}

/** The presence of a handle, over that of the membership it holds. */
export interface PresenceHandle extends Presence<unknown> {
  /** The handle has joined: what it wants to show is shown. */
  joined(): void
  changed(): void
}

/** What treats presence. A descriptor with a room that has any brings it along: the clients of other contracts carry nothing of it. */
export interface PresenceParts {
  /** `place` tells where the last JOIN was sent, and its seq there: 0 where there is none. */
  createRoster(
    room: string,
    settings: Settings,
    place: () => readonly [channel: Channel, seq: number],
    changed: () => void,
  ): Roster
  createHandle(room: string, settings: Settings, held: () => Roster | undefined): PresenceHandle
}

const NOBODY: readonly Member<unknown>[] = []

// As the server counts: bytes are base64 there.
const isTooLarge = (state: unknown): boolean => {
  const text = JSON.stringify(state, (_key, value: unknown) =>
    value instanceof Uint8Array ? ' '.repeat(Math.ceil(value.length / 3) * 4) : value,
  )
  return text.length > STATE_BYTES || new TextEncoder().encode(text).length > STATE_BYTES
}

/** See PresenceParts. */
export const presence: PresenceParts = {
  createRoster(room, { report }, place, changed) {
    const members = new Map<string, Member<unknown>>()
    let list = NOBODY
    let own: { readonly state: unknown } | undefined
    // Whether the server has it, behind the last JOIN.
    let told = false

    function tell(): void {
      const [channel, seq] = place()
      if (told || !own || !seq) return
      told = channel.send([8, seq, own.state])
      // In the first flight there may be no room for it: then it follows JOINED.
      if (told || !channel.open || channel.ledger === undefined) return
      told = true
      report(new Failure(room, 'TOO_LARGE', null))
    }
    const add = (given: readonly WireMember[]): void => {
      for (const [user, state, connections] of given) {
        members.set(user, { user, state: state ?? undefined, connections })
      }
    }
    const show = (): void => {
      list = [...members.values()]
      changed()
    }

    return {
      get: () => list,
      set(state) {
        own = { state }
        told = false
        tell()
      },
      joining() {
        told = false
        tell()
      },
      joined(given) {
        tell()
        if (!given) return
        members.clear()
        add(given)
        show()
      },
      receive([, , joined, updated, left]) {
        add(joined)
        add(updated)
        for (const user of left) members.delete(user)
        show()
      },
    }
  },

  createHandle(room, { codec, report }, held) {
    const notice = createNotice(report)
    let wanted: { readonly state: unknown } | undefined
    return {
      get: () => held()?.get() ?? NOBODY,
      subscribe: notice.subscribe,
      set(state) {
        // What is shown is what it was when it was set.
        const taken = snapshot(codec, room, state)
        // The server would close for it, and for good.
        if (isTooLarge(taken)) return report(new Failure(room, 'TOO_LARGE', null))
        wanted = { state: taken }
        held()?.set(taken)
      },
      joined() {
        if (wanted) held()?.set(wanted.state)
      },
      changed: notice.changed,
    }
  },
}
