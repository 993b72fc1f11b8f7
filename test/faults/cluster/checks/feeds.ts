/** What each member was told, by itself: in order, each once, and a gap before whatever does not follow. PROTOCOL.md § Recovery. */
import { createHash } from 'node:crypto'
import type { GapReason, Position } from '../../../../client/index.js'
import type { Complain, Rules } from './rules.js'
import type { Feed, Run } from './run.js'

/** The tag behind another, computed apart from the code under test. PROTOCOL.md § Positions. */
export const chained = (tag: number, id: string): number =>
  createHash('sha1').update(`${tag}:${id}`).digest().readUIntBE(0, 6)

/** A position in few words. */
export const at = ({ epoch, offset, tag }: Position): string => `${epoch}/${offset}/${tag}`

/** Looks at every feed of a run. */
export function checkFeeds({ feeds, known }: Run, rules: Rules, complain: Complain): void {
  for (const feed of feeds) {
    checkRow(feed, rules, complain)
    for (const line of feed.lines) {
      if (line.type !== 'event') continue
      const made = known.get(line.id)
      // Nobody logs the calls of what is volatile.
      const isStranger = line.position !== undefined || line.value !== undefined
      if (isStranger && made?.call.room !== feed.room)
        complain('stranger', `${feed.who} got ${line.id} in ${feed.room}, where nobody published it`)
    }
  }
}

function checkRow({ who, room, lines }: Feed, rules: Rules, complain: Complain): void {
  let last: Position | undefined
  let gaps: GapReason[] = []
  // By id: whether a gap that brings repetitions came since.
  const heard = new Map<string, 'before' | 'since'>()
  const passing = new Set<string>()
  for (const line of lines) {
    const where = `${who} in ${room} at ${line.t.toFixed(0)}`
    if (line.type === 'joined') last ??= line.position
    else if (line.type === 'gap') {
      gaps.push(line.reason)
      if (!rules.gaps.includes(line.reason))
        complain('gap', `${where}: ${line.reason}, though nothing was lost`)
      if (line.reason === 'epoch' || line.reason === 'forked')
        for (const id of heard.keys()) heard.set(id, 'before')
    } else if (line.position === undefined) {
      // A current value comes again with each JOINED.
      if (line.value === undefined && passing.has(line.id)) complain('double', `${where}: ${line.id} again`)
      passing.add(line.id)
    } else {
      const { id, position } = line
      if (heard.get(id) === 'since') complain('double', `${where}: ${id} again, at ${at(position)}`)
      else if (last !== undefined) checkStep(where, id, last, position, gaps, complain)
      heard.set(id, 'since')
      last = position
      gaps = []
    }
  }
}

function checkStep(
  where: string,
  id: string,
  last: Position,
  now: Position,
  gaps: readonly GapReason[],
  complain: Complain,
): void {
  const isSame = now.epoch === last.epoch
  const isNext = isSame && now.offset === last.offset + 1
  const isChained = chained(last.tag, id) === now.tag
  const step = `${where}: ${at(last)} to ${at(now)}`
  if (gaps.length === 0) {
    if (!isNext) complain('jump', `${step} without a gap`)
    else if (!isChained) complain('tag', `${step} without a gap, and ${id} does not lead there`)
    return
  }
  const fits = (reason: GapReason): boolean => {
    if (reason === 'epoch') return !isSame
    // What leads on from the last one is no fork, and nothing is missing.
    if (!isSame || (isNext && isChained)) return false
    return reason === 'forked' || now.offset > last.offset
  }
  if (!gaps.some(fits)) complain('reason', `${step} is not ${gaps.join(', ')}`)
}
