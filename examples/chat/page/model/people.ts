/** Who is in a channel, as it is drawn. Pure. */
import type { Member } from 'ackord/client'
import type { ChannelPresence } from '../chat.client.js'

/** Somebody who is there. */
export interface Person {
  readonly name: string
  readonly me: boolean
  /** Nobody looks at their page. */
  readonly away: boolean
}

const byName = new Intl.Collator()

/** Oneself first, then by name. */
export const toPeople = (members: readonly Member<ChannelPresence>[], me: string): readonly Person[] =>
  members
    .map(({ user, state }) => ({ name: user, me: user === me, away: state?.away ?? false }))
    .sort((a, b) => Number(b.me) - Number(a.me) || byName.compare(a.name, b.name))
