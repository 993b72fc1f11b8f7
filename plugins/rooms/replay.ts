/** What a joiner is given before anything live: what it missed, then the current values, as far as its connection can hold them. */
import { refuseCall } from '../calls/index.js'
import type { Writer } from '../gateway/index.js'
import type { GapReason, Position, Publication, Snapshot } from './broker.js'
import type { Room } from './room.js'

/** A joiner's start. */
export interface Replay {
  readonly texts: readonly string[]
  /** Where the log stands behind them. */
  readonly position: Position | undefined
  readonly gap: GapReason | undefined
}

// JOINED itself, whose key is bounded.
const RESERVE = 8192

/**
 * Puts a snapshot and what was published since into order for a client. Where the missed messages do not fit into what the
 * connection may hold back, they are a gap; where the current values do not fit either, it throws OVERLOADED.
 */
export function replayOf(
  room: Room,
  writer: Writer,
  client: string,
  snapshot: Snapshot,
  recent: readonly Publication[],
): Replay {
  const head = snapshot.position?.offset ?? 0
  const later = recent.filter(({ except }) => except !== client)
  const missed = [...snapshot.publications, ...later.filter((each) => (each.position?.offset ?? 0) > head)]
  const latest = [...snapshot.latest, ...later.filter(({ delivery }) => delivery === 'latest')]
  const position = recent.reduce((last, each) => after(each.position, last), snapshot.position)
  const current = latest.map((each) => room.encode(each))
  const all = [...missed.map((each) => room.encode(each)), ...current]
  if (fits(writer, all)) return { texts: all, position, gap: snapshot.gap }
  if (fits(writer, current)) return { texts: current, position, gap: 'tooMany' }
  throw refuseCall('OVERLOADED')
}

const after = (next: Position | undefined, last: Position | undefined): Position | undefined =>
  next !== undefined && next.offset > (last?.offset ?? 0) ? next : last

function fits(writer: Writer, texts: readonly string[]): boolean {
  let bytes = RESERVE
  for (const text of texts) bytes += Buffer.byteLength(text) + 10
  return writer.fits(bytes)
}
