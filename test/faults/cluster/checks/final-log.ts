/** The log of a room as it is in the end, from what was heard and acked of it. */
import type { Position } from '../../../../client/index.js'
import { chained } from './feeds.js'
import type { Acked, Feed } from './run.js'

/** Knows what is in it. */
export interface FinalLog {
  has(position: Position): boolean
}

interface Place {
  readonly id: string
  readonly position: Position
  readonly t: number
}

/**
 * Goes back from what was heard last: each tag proves the one before it. Where nobody was told of a publication, and it was not acked, the proof ends;
 * below that a place counts where there is one candidate only.
 */
export function finalLog(feeds: readonly Feed[], acked: readonly Acked[]): FinalLog {
  const heard = feeds.flatMap(({ lines }) =>
    lines.flatMap((line): Place[] => {
      return line.type === 'event' && line.position
        ? [{ id: line.id, position: line.position, t: line.t }]
        : []
    }),
  )
  const known = [...heard, ...acked.map(({ id, position }): Place => ({ id, position, t: -1 }))]
  let next = known.reduce<Place | undefined>((a, b) => (a === undefined || b.t > a.t ? b : a), undefined)
  const epoch = next?.position.epoch
  // By offset, each tag once.
  const candidates = new Map<number, Map<number, Place>>()
  for (const place of known) {
    if (place.position.epoch !== epoch) continue
    const { offset, tag } = place.position
    const places = candidates.get(offset) ?? new Map<number, Place>()
    candidates.set(offset, places.set(tag, place))
  }
  const tags = new Map<number, number>()
  for (let offset = next?.position.offset ?? 0; offset > 0; offset--) {
    const places = [...(candidates.get(offset)?.values() ?? [])]
    const after = next
    const isNewest = after?.position.offset === offset
    const right =
      after && !isNewest ? places.find((place) => leads(place, after)) : isNewest ? after : undefined
    next = right ?? (after === undefined && places.length === 1 ? places[0] : undefined)
    if (next) tags.set(offset, next.position.tag)
  }
  return { has: (position) => position.epoch === epoch && tags.get(position.offset) === position.tag }
}

const leads = ({ position }: Place, { id, position: after }: Place): boolean =>
  chained(position.tag, id) === after.tag
