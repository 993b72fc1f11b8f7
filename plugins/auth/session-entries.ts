/** What stands in Redis of the sessions of a user. See lua/session-claim.lua. */

/** A session and the connection that has its place. */
export interface SessionEntry {
  readonly session: string
  /** As it stands there. */
  readonly text: string
  readonly node: string
  /** The connection's place among those of its node. */
  readonly order: number
  /** Milliseconds since the connection began. */
  readonly age: number
}

/** Reads what the script says of a user who is full: the time there, and then session, text, … */
export function entriesOf([now, ...list]: readonly string[]): SessionEntry[] {
  const entries: SessionEntry[] = []
  for (let i = 0; i < list.length; i += 2) {
    const [session = '', text = ''] = list.slice(i, i + 2)
    const [node = '', order, start] = text.split(' ')
    entries.push({ session, text, node, order: Number(order), age: Number(now) - Number(start) })
  }
  return entries
}
