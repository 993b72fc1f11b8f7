/** Says what is wrong with a run, from nothing but its lines. */
import { checkAcks } from './checks/acks.js'
import { checkFeeds } from './checks/feeds.js'
import { checkPresence } from './checks/presence.js'
import type { Complaint, Rules } from './checks/rules.js'
import { sortOut } from './checks/run.js'
import { checkLatest, checkSettled } from './checks/settled.js'
import type { Line } from './lines.js'

export type { Complaint, Kind, Rules } from './checks/rules.js'

/** What there was of everything. */
export interface Figures {
  readonly calls: number
  readonly acked: number
  readonly failed: number
  /** Calls that were acked after they had been refused, or had not been answered. */
  readonly repeated: number
  readonly heard: number
  /** Gaps that members were told, by reason. */
  readonly gaps: Readonly<Record<string, number>>
  /** Acked publications that are not in the log in the end, and those of them that some member never had. */
  readonly lost: number
  readonly unseen: number
  /** Milliseconds from the last call until all had heard the same. */
  readonly quiet: number
  readonly reconnects: number
  readonly degraded: number
}

/** What is wrong, and what was looked at. */
export interface Verdict {
  readonly complaints: readonly Complaint[]
  readonly figures: Figures
}

/** Checks the lines of a run, in any order, against what its fault may do. */
export function check(lines: readonly Line[], rules: Rules): Verdict {
  const run = sortOut(lines)
  const complaints: Complaint[] = []
  const complain = (kind: Complaint['kind'], text: string): void => void complaints.push({ kind, text })
  checkSettled(run, complain)
  checkFeeds(run, rules, complain)
  const { lost, unseen } = checkAcks(run, rules, complain)
  checkLatest(run, complain)
  checkPresence(run, rules, complain)
  const figures = { ...count(run.lines), lost, unseen }
  // Nothing is right about a run in which nothing happened.
  if (figures.acked === 0 || figures.heard === 0) complain('nothing', 'nobody was told anything')
  return { complaints, figures }
}

function count(lines: readonly Line[]): Omit<Figures, 'lost' | 'unseen'> {
  const gaps: Record<string, number> = {}
  const of = (type: Line['type']): number => lines.filter((line) => line.type === type).length
  for (const line of lines) if (line.type === 'gap') gaps[line.reason] = (gaps[line.reason] ?? 0) + 1
  return {
    calls: of('call'),
    acked: of('acked'),
    failed: of('failed'),
    repeated: lines.filter((line) => line.type === 'acked' && line.tries > 1).length,
    heard: of('event'),
    gaps,
    quiet: lines.reduce((most, line) => (line.type === 'quiet' ? Math.max(most, line.ms) : most), 0),
    reconnects: lines.filter((line) => line.type === 'connection' && line.state === 'waiting').length,
    degraded: lines.filter((line) => line.type === 'connection' && line.degraded).length,
  }
}
