/** How far a feed has come in the log of its room, and what of a live message follows there. docs/decisions/room-log.md. */
import type { Position, Publication } from '../broker.js'
import type { Live } from './live.js'

/** A place in a room: in its log, and in its `latest` values. */
export interface Place {
  readonly position: Position | undefined
  readonly version: number
}

/** Where a feed stands. */
export class Cursor implements Place {
  /** `undefined` without history. */
  position: Position | undefined
  version = 0

  /** Goes where a reply of the log says. */
  goTo({ position, version }: Place): void {
    this.position = position
    this.version = version
  }

  /**
   * What of a live message follows, which the cursor then is behind; `undefined` where something is missing before it, or it is of another
   * history.
   */
  take({
    epoch,
    previousTag,
    previousVersion = 0,
    version = 0,
    publications,
  }: Live): readonly Publication[] | undefined {
    if (epoch === undefined) return publications
    const from = this.position
    const positions = publications.flatMap(({ position }) => position ?? [])
    const [first] = positions
    const last = positions.at(-1)
    if (from !== undefined && epoch !== from.epoch) return undefined
    if (from !== undefined && first !== undefined) {
      const isNext = first.offset === from.offset + 1
      const tag = isNext ? previousTag : positions.find(({ offset }) => offset === from.offset)?.tag
      if (tag !== from.tag) return undefined
    }
    // The values of one message are all known, or none is.
    const hasNews = version > this.version
    if (hasNews && previousVersion !== this.version) return undefined
    const offset = from?.offset ?? 0
    if (last !== undefined && last.offset > offset) this.position = last
    if (hasNews) this.version = version
    if ((first === undefined || first.offset > offset) && (hasNews || version === previousVersion))
      return publications
    return publications.filter(({ position, delivery }) =>
      position === undefined ? delivery !== 'latest' || hasNews : position.offset > offset,
    )
  }

  /**
   * Whether a message that came before the log was read has nothing that this did not tell: it is wholly before the head, or of no history that
   * lasts. Volatile publications between those are not worth another look.
   */
  isBehind({ epoch, version = 0, publications }: Live): boolean {
    const from = this.position
    if (epoch === undefined || (from !== undefined && from.epoch !== epoch)) return false
    return publications.every(
      ({ delivery, position }) =>
        delivery === 'volatile' ||
        (delivery === 'latest' && version <= this.version) ||
        (position !== undefined && position.offset < (from?.offset ?? 0)),
    )
  }

  /** Whether all that a snapshot had is behind the cursor. */
  hasReached({ position, version }: Place): boolean {
    if (version > this.version) return false
    if (position === undefined) return true
    const here = this.position
    return here !== undefined && here.epoch === position.epoch && here.offset >= position.offset
  }
}

/** Whether two positions are one. */
export const samePlace = (one: Position | undefined, other: Position | undefined): boolean =>
  one === undefined || other === undefined
    ? one === other
    : one.epoch === other.epoch && one.offset === other.offset && one.tag === other.tag
