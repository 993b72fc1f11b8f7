import { describe, expect, it } from 'vitest'
import { check, type Kind, type Rules } from './checker.js'
import { chained } from './checks/feeds.js'
import { forkedLog, goodLog } from './good-log.js'
import type { Line } from './lines.js'

const RULES: Rules = { gaps: ['epoch'], loses: true, counts: true, flickers: 0 }

const kindsOf = (lines: readonly Line[], rules: Partial<Rules> = {}): Kind[] => [
  ...new Set(check(lines, { ...RULES, ...rules }).complaints.map(({ kind }) => kind)),
]

type Of<T extends Line['type']> = Extract<Line, { readonly type: T }>

/** The first line of a type with these members. Throws where there is none, so that no corruption corrupts nothing. */
function find<T extends Line['type']>(lines: readonly Line[], type: T, members: object = {}): Of<T> {
  const wanted = Object.entries(members)
  const found = lines.find(
    (line): line is Of<T> =>
      line.type === type &&
      wanted.every(([key, value]) => Object.entries(line).some(([k, v]) => k === key && v === value)),
  )
  if (found === undefined) throw new Error(`no ${type} ${JSON.stringify(members)}`)
  return found
}

const without = (lines: readonly Line[], line: Line): Line[] => lines.filter((one) => one !== line)
const changed = <L extends Line>(lines: readonly Line[], line: L, members: Partial<L>): Line[] =>
  lines.map((one) => (one === line ? { ...line, ...members } : one))
const also = (lines: readonly Line[], line: Line, later = 0.5): Line[] => [
  ...lines,
  { ...line, t: line.t + later },
]

function swapped(lines: readonly Line[], one: Line, other: Line): Line[] {
  return lines.map((line) =>
    line === one ? { ...one, t: other.t } : line === other ? { ...other, t: one.t } : line,
  )
}

type Corrupt = (lines: readonly Line[]) => Line[]

/** What is done to a good log, and what the checker has to say, that and nothing else. */
const CORRUPTIONS: ReadonlyArray<
  readonly [what: string, kinds: readonly Kind[], corrupt: Corrupt, rules?: Partial<Rules>]
> = [
  [
    'a publication that was acked is dropped for one member',
    ['jump', 'missing'],
    (log) => without(log, find(log, 'event', { who: 'bob', id: 'a4' })),
  ],
  [
    'the last publication never comes',
    ['missing'],
    (log) => without(log, find(log, 'event', { who: 'bob', id: 'a6' })),
  ],
  [
    'nobody is told of a publication in the middle',
    ['jump', 'missing'],
    (log) => log.filter((line) => line.type !== 'event' || line.id !== 'a4'),
  ],
  ['a publication comes twice', ['double'], (log) => also(log, find(log, 'event', { who: 'ann', id: 'a4' }))],
  [
    'a publication comes again later, at another place',
    ['double', 'missing'],
    (log) => {
      const { position } = find(log, 'event', { who: 'bob', id: 'a5' })
      return changed(log, find(log, 'event', { who: 'bob', id: 'a5' }), {
        id: 'a3',
        ...(position && { position }),
      })
    },
  ],
  [
    'what is volatile comes twice',
    ['double'],
    (log) => also(log, find(log, 'event', { who: 'ann', id: 'w1' })),
  ],
  [
    'two publications come the wrong way round',
    ['jump'],
    (log) =>
      swapped(
        log,
        find(log, 'event', { who: 'ann', id: 'a4' }),
        find(log, 'event', { who: 'ann', id: 'a5' }),
      ),
  ],
  ['an ack is lost', ['unsettled'], (log) => without(log, find(log, 'acked', { id: 'a1' }))],
  ['a failure is lost', ['unsettled'], (log) => without(log, find(log, 'failed', { id: 'e1' }))],
  ['a call is answered twice', ['twice'], (log) => also(log, find(log, 'acked', { id: 'a4' }))],
  [
    'a gap is passed over in silence',
    ['jump', 'missing'],
    (log) => without(log, find(log, 'gap', { who: 'bob' })),
  ],
  [
    'a gap has the wrong reason',
    ['reason'],
    (log) => changed(log, find(log, 'gap', { who: 'bob' }), { reason: 'forked' }),
    { gaps: ['epoch', 'forked'] },
  ],
  [
    'a gap is told where nothing is missing',
    ['reason'],
    (log) => [...log, { ...find(log, 'gap'), t: find(log, 'event', { who: 'ann', id: 'a4' }).t + 0.5 }],
  ],
  ['a gap is told in a run that may have none', ['gap'], (log) => [...log], { gaps: [] }],
  [
    'the gap comes behind what it is about',
    ['jump', 'missing', 'reason'],
    (log) => {
      const gap = find(log, 'gap', { who: 'ann' })
      return changed(log, gap, { t: find(log, 'event', { who: 'ann', id: 'a3' }).t + 0.5 })
    },
  ],
  [
    'the ack of a lost publication is in a run that may lose none',
    ['lost'],
    (log) => [...log],
    { loses: false },
  ],
  [
    'offsets jump',
    ['jump', 'ack'],
    (log) => {
      const line = find(log, 'event', { who: 'bob', id: 'a5' })
      return changed(log, line, { position: { epoch: 'two', offset: 9, tag: line.position?.tag ?? 0 } })
    },
  ],
  [
    'a tag is forged',
    ['tag', 'ack'],
    (log) => {
      const line = find(log, 'event', { who: 'bob', id: 'a5' })
      return changed(log, line, { position: { epoch: 'two', offset: 4, tag: 12_345 } })
    },
  ],
  [
    'an ack tells of another place than the members',
    ['ack'],
    (log) => {
      const { position } = find(log, 'acked', { id: 'a5' })
      return changed(log, find(log, 'acked', { id: 'a5' }), {
        position: { ...position, tag: 1 } as NonNullable<typeof position>,
      })
    },
  ],
  [
    'one member hears another history, each step of which is right',
    ['ack', 'tag'],
    (log) => {
      const [four, five] = ['a4', 'a5'].map((id) => find(log, 'event', { who: 'bob', id }))
      const [first, second] = [four, five].map((line) => line?.position)
      if (!four || !five || !first || !second) throw new Error('no positions')
      const before = find(log, 'event', { who: 'bob', id: 'a3' }).position?.tag ?? 0
      const tag = chained(before, 'a5')
      const fork = changed(log, four, { id: 'a5', position: { ...first, tag } })
      return changed(fork, five, { id: 'a4', position: { ...second, tag: chained(tag, 'a4') } })
    },
  ],
  [
    'an epoch changes without a word',
    ['ack', 'jump'],
    (log) =>
      log.map((line) =>
        line.type === 'event' && line.id === 'a5' && line.position
          ? { ...line, position: { ...line.position, epoch: 'other' } }
          : line,
      ),
  ],
  [
    'what was acked first stands behind what was called later',
    ['order'],
    (log) => {
      // The call of the later one is put behind the ack of the other, which has the higher place.
      const late = find(log, 'call', { id: 'a3' })
      return changed(log, late, { t: find(log, 'acked', { id: 'a4' }).t + 0.5 })
    },
  ],
  [
    'a member gets what was published elsewhere',
    ['stranger'],
    (log) => changed(log, find(log, 'call', { id: 'a4' }), { room: 'other' }),
  ],
  [
    'a current value is stale in the end',
    ['latest'],
    (log) => without(log, find(log, 'event', { who: 'ann', id: 'v2' })),
  ],
  [
    'an older current value comes last',
    ['latest'],
    (log) =>
      swapped(
        log,
        find(log, 'event', { who: 'ann', id: 'v1' }),
        find(log, 'event', { who: 'ann', id: 'v2' }),
      ),
  ],
  [
    'who is gone is seen for too long',
    ['ghost'],
    (log) => {
      const seen = find(log.toReversed(), 'sees', { who: 'ann' })
      return changed(log, seen, { t: seen.t + 1000 })
    },
  ],
  [
    'who is gone is seen for ever',
    ['ghost'],
    (log) => without(log, find(log.toReversed(), 'sees', { who: 'ann' })),
  ],
  [
    'somebody is seen who never was there',
    ['ghost'],
    (log) => {
      const seen = find(log.toReversed(), 'sees', { who: 'bob' })
      return changed(log, seen, { members: [...seen.members, ['nobody', 1, 1]] })
    },
  ],
  [
    'somebody who is there is not seen',
    ['absent', 'flicker'],
    (log) => {
      const seen = find(log.toReversed(), 'sees', { who: 'bob' })
      return changed(log, seen, { members: seen.members.slice(1) })
    },
  ],
  [
    'somebody who is there all the time is out of sight for a while',
    ['flicker'],
    (log) => {
      const seen = find(log.toReversed(), 'sees', { who: 'bob' })
      const { t } = find(log, 'event', { id: 'a2' })
      return [...log, { ...seen, t, members: seen.members.slice(1) }]
    },
  ],
  [
    'an old state is seen',
    ['state'],
    (log) => {
      const seen = find(log.toReversed(), 'sees', { who: 'bob' })
      return changed(log, seen, {
        members: seen.members.map(([user, , count]) => [user, user === 'ann' ? 6 : 7, count]),
      })
    },
  ],
  [
    'connections are counted wrong',
    ['counts'],
    (log) => {
      const seen = find(log.toReversed(), 'sees', { who: 'bob' })
      return changed(log, seen, { members: seen.members.map(([user, state]) => [user, state, 2]) })
    },
  ],
  ['a join is never answered', ['unsettled'], (log) => without(log, find(log, 'joined', { who: 'eve' }))],
  [
    'a client has no connection in the end',
    ['away'],
    (log) => changed(log, find(log, 'connection', { who: 'bob' }), { state: 'waiting' }),
  ],
  [
    'a client takes Redis for away in the end',
    ['away'],
    (log) => changed(log, find(log, 'connection', { who: 'bob' }), { degraded: true }),
  ],
  [
    'some have not heard what others have, though they had time',
    ['late'],
    (log) => changed(log, find(log, 'quiet'), { isEven: false }),
  ],
  ['the run breaks off', ['unsettled'], (log) => without(log, find(log, 'end'))],
  ['nothing happened at all', ['nothing'], (log) => log.filter((line) => line.type === 'end')],
]

describe('the checker', () => {
  it('has nothing to say of a good log, and counts what is in it', () => {
    expect(check(goodLog(), RULES)).toMatchObject({
      complaints: [],
      figures: { calls: 13, acked: 12, failed: 1, gaps: { epoch: 2 }, lost: 3, unseen: 0 },
    })
  })

  it('reads lines in any order', () => {
    expect(check(goodLog().reverse(), RULES).complaints).toEqual([])
  })

  it('knows which of two histories stands, and that who stood before the fork was never told of the other', () => {
    const verdict = check(forkedLog(), { gaps: ['forked'], loses: true, counts: true, flickers: 0 })
    expect(verdict).toMatchObject({ complaints: [], figures: { acked: 7, lost: 3, unseen: 3 } })
  })

  it('complains of each publication that a fork lost, where none may be', () => {
    const { complaints } = check(forkedLog(), {
      gaps: ['forked'],
      loses: false,
      counts: true,
      flickers: 0,
    })
    expect(complaints.filter(({ kind }) => kind === 'lost')).toHaveLength(3)
  })

  it('complains where a member goes over to another history without a word, or for another reason', () => {
    const rules: Partial<Rules> = { gaps: ['forked', 'epoch', 'trimmed'] }
    const log = forkedLog()
    const gap = find(log, 'gap', { who: 'bob' })
    expect(kindsOf(without(log, gap), rules)).toEqual(['jump', 'missing'])
    for (const reason of ['epoch', 'trimmed'] as const)
      expect(kindsOf(changed(log, gap, { reason }), rules)).toEqual(['reason', 'missing'])
  })

  for (const [what, kinds, corrupt, rules] of CORRUPTIONS) {
    it(`complains where ${what}`, () => {
      expect(kindsOf(corrupt(goodLog()), rules).sort()).toEqual([...kinds].sort())
    })
  }

  it('can make every complaint there is', () => {
    const all: Record<Kind, true> = {
      ...{ unsettled: true, twice: true, nothing: true, jump: true, double: true, reason: true, gap: true },
      ...{ tag: true, missing: true, lost: true, ack: true, order: true, latest: true, stranger: true },
      ...{ ghost: true, absent: true, flicker: true, state: true, counts: true, away: true, late: true },
    }
    expect(new Set(CORRUPTIONS.flatMap(([, kinds]) => kinds))).toEqual(new Set(Object.keys(all)))
  })
})
