/** The lines of a run, sorted out by what they are about. */
import type { Position } from '../../../../client/index.js'
import type { Line } from '../lines.js'

type Of<T extends Line['type']> = Extract<Line, { readonly type: T }>

/** A call and how it ended. */
export interface Made {
  readonly call: Of<'call'>
  readonly end: Of<'acked'> | Of<'failed'> | undefined
}

/** What one client was told of one room, in order. */
export interface Feed {
  readonly who: string
  readonly room: string
  readonly lines: readonly (Of<'joined'> | Of<'event'> | Of<'gap'>)[]
  /** Undefined for an inbox. */
  readonly user: string | undefined
  /** Whether it was asked for and never joined; whether its client left it. */
  readonly isPending: boolean
  readonly hasLeft: boolean
}

/** A publication that was acked. */
export interface Acked {
  readonly id: string
  readonly room: string
  readonly position: Position
  readonly calledAt: number
  readonly ackedAt: number
}

/** All of it. */
export interface Run {
  readonly lines: readonly Line[]
  readonly made: readonly Made[]
  readonly acked: readonly Acked[]
  readonly feeds: readonly Feed[]
  /** The ids of the recoverable calls of each room. */
  readonly known: ReadonlyMap<string, Made>
}

interface Draft {
  readonly who: string
  readonly room: string
  readonly lines: Feed['lines'][number][]
  user: string | undefined
  isPending: boolean
  hasLeft: boolean
}

/** Sorts lines by time, and out. */
export function sortOut(given: readonly Line[]): Run {
  const lines = given.toSorted((a, b) => a.t - b.t)
  const ends = new Map<string, Of<'acked'> | Of<'failed'>>()
  const drafts = new Map<string, Draft>()
  const draftOf = ({ who, room }: { who: string; room: string }): Draft => {
    const key = JSON.stringify([who, room])
    const found = drafts.get(key)
    const draft = found ?? { who, room, lines: [], user: undefined, isPending: false, hasLeft: false }
    if (found === undefined) drafts.set(key, draft)
    return draft
  }
  for (const line of lines) {
    switch (line.type) {
      case 'acked':
      case 'failed':
        ends.set(line.id, line)
        break
      case 'join':
        Object.assign(draftOf(line), { user: line.user, isPending: true })
        break
      case 'joined':
        draftOf(line).isPending = false
        draftOf(line).lines.push(line)
        break
      case 'event':
      case 'gap':
        draftOf(line).lines.push(line)
        break
      case 'left':
        draftOf(line).hasLeft = true
    }
  }
  const made = lines.flatMap((line): Made[] =>
    line.type === 'call' ? [{ call: line, end: ends.get(line.id) }] : [],
  )
  const acked = made.flatMap(({ call, end }): Acked[] => {
    if (call.delivery !== 'recoverable' || end?.type !== 'acked' || end.position === undefined) return []
    const { id, room, t } = call
    return [{ id, room, position: end.position, calledAt: t, ackedAt: end.t }]
  })
  return { lines, made, acked, feeds: [...drafts.values()], known: new Map(made.map((m) => [m.call.id, m])) }
}
