/** What a joiner is given before anything live: what it missed, then the current values, as far as its connection can hold them. */
import { refuseCall } from '../calls/index.js'
import type { Connection, Message } from '../gateway/index.js'
import type { GapReason, Position, Publication, Snapshot } from './broker.js'
import { OWED_BYTES, owedBytes } from './owed.js'
import type { Room } from './room.js'
import { slotOf } from './slot.js'

/** A joiner's start. */
export interface Replay {
  /** Sent right behind JOINED. */
  readonly messages: readonly Message[]
  /** Current values that follow as the connection drains. */
  readonly owed: readonly Publication[]
  /** Where the log stands behind them. */
  readonly position: Position | undefined
  readonly gap: GapReason | undefined
}

// JOINED itself, whose key is bounded.
const RESERVE = 8192
// Of what a connection may hold back, a replay leaves so much: to answer the other JOINs of the same flight, and for what is live.
const SPARE = 1 / 4

/**
 * Puts a snapshot and what was published since into order for a client. Where the missed messages do not fit beside what the connection
 * holds back already, they are a gap. Current values take up to half of what it may hold back; the rest of them is owed. What it returns
 * is true only as long as nothing else is sent. `presence` is what JOINED takes of it, in bytes. Throws CallError OVERLOADED where the
 * connection has no room for that, or is owed too much already.
 */
export function replayOf(
  room: Room,
  connection: Connection,
  snapshot: Snapshot,
  recent: readonly Publication[],
  presence = 0,
): Replay {
  const { writer, codec, maxBuffered, slots } = connection
  const head = snapshot.position?.offset ?? 0
  const later = recent.filter(({ except }) => except !== connection.sessionKey)
  const position = recent.reduce((last, each) => after(each.position, last), snapshot.position)
  let bytes = RESERVE + presence
  if (presence > 0 && !writer.fits(bytes)) throw refuseCall('OVERLOADED')
  const place = (message: Message): number => message.frame(codec.binary).byteLength

  let messages = [
    ...snapshot.publications,
    ...later.filter((each) => (each.position?.offset ?? 0) > head),
  ].map((each) => room.encode(each))
  let { gap } = snapshot
  const missed = messages.reduce((sum, message) => sum + place(message), 0)
  if (messages.length === 0 || writer.fits(bytes + missed + maxBuffered * SPARE)) {
    bytes += missed
  } else {
    messages = []
    gap = 'tooMany'
  }

  const current = newestOf(snapshot.latest, recent, connection.sessionKey)
  let fitting = 0
  for (const publication of current) {
    const message = room.encode(publication)
    bytes += place(message)
    if (!writer.fits(bytes + maxBuffered / 2)) break
    messages.push(message)
    fitting++
  }
  // Once one waits, all behind it do: an older value must not follow a newer one.
  const owed = current.slice(fitting)
  const debt = owed.reduce((sum, publication) => sum + owedBytes(publication), slots.owed ?? 0)
  if (owed.length > 0 && debt > OWED_BYTES) throw refuseCall('OVERLOADED')
  return { messages, owed, position, gap }
}

/** Of each value the newest, the longest unchanged first: what came since may also be in the snapshot, and is not older. */
function newestOf(
  latest: readonly Publication[],
  recent: readonly Publication[],
  session: string,
): readonly Publication[] {
  if (!recent.some(({ delivery }) => delivery === 'latest')) return latest
  const newest = new Map(latest.map((publication) => [slotOf(publication), publication]))
  for (const publication of recent) {
    if (publication.delivery !== 'latest') continue
    const slot = slotOf(publication)
    newest.delete(slot)
    if (publication.except !== session) newest.set(slot, publication)
  }
  return [...newest.values()]
}

const after = (next: Position | undefined, last: Position | undefined): Position | undefined =>
  next !== undefined && next.offset > (last?.offset ?? 0) ? next : last
