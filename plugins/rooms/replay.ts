/** What a joiner is given before anything live: what it missed, then the current values, as far as its connection can hold them. */
import type { Connection, Message } from '../gateway/index.js'
import type { GapReason, Position, Publication, Snapshot } from './broker.js'
import type { Room } from './room.js'

/** A joiner's start. */
export interface Replay {
  /** Sent right behind JOINED. */
  readonly messages: readonly Message[]
  /** Current values that follow as the connection drains. */
  readonly owed: ReadonlyArray<readonly [Publication, Message]>
  /** Where the log stands behind them. */
  readonly position: Position | undefined
  readonly gap: GapReason | undefined
}

// JOINED itself, whose key is bounded.
const RESERVE = 8192

/**
 * Puts a snapshot and what was published since into order for a client. Where the missed messages do not fit into what the
 * connection may hold back, they are a gap. Current values take up to half of that; the rest of them is owed.
 */
export function replayOf(
  room: Room,
  connection: Connection,
  snapshot: Snapshot,
  recent: readonly Publication[],
): Replay {
  const { writer, codec, maxBuffered } = connection
  const head = snapshot.position?.offset ?? 0
  const later = recent.filter(({ except }) => except !== connection.sessionKey)
  const position = recent.reduce((last, each) => after(each.position, last), snapshot.position)
  let bytes = RESERVE
  const place = (message: Message): number => message.frame(codec.binary).byteLength

  let messages = [
    ...snapshot.publications,
    ...later.filter((each) => (each.position?.offset ?? 0) > head),
  ].map((each) => room.encode(each))
  let { gap } = snapshot
  const missed = messages.reduce((sum, message) => sum + place(message), 0)
  if (writer.fits(bytes + missed)) {
    bytes += missed
  } else {
    messages = []
    gap = 'tooMany'
  }

  const owed: Array<readonly [Publication, Message]> = []
  for (const publication of [...snapshot.latest, ...later.filter(({ delivery }) => delivery === 'latest')]) {
    const message = room.encode(publication)
    bytes += place(message)
    // Once one waits, all behind it do, since `bytes` only grows: an older value must not follow a newer one.
    if (writer.fits(bytes + maxBuffered / 2)) messages.push(message)
    else owed.push([publication, message])
  }
  return { messages, owed, position, gap }
}

const after = (next: Position | undefined, last: Position | undefined): Position | undefined =>
  next !== undefined && next.offset > (last?.offset ?? 0) ? next : last
