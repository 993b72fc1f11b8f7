/** What was acked, against what the members were told: each reached every member, or a gap was told. */
import type { GapReason, Position } from '../../../../client/index.js'
import { at } from './feeds.js'
import { type FinalLog, finalLog } from './final-log.js'
import type { Complain, Rules } from './rules.js'
import type { Acked, Feed, Run } from './run.js'

const placeOf = ({ epoch, offset }: Position): string => `${epoch}/${offset}`

/** Looks at all that was acked. Returns how many of it are gone from the log, and how many of those some member never had. */
export function checkAcks(run: Run, rules: Rules, complain: Complain): { lost: number; unseen: number } {
  let lost = 0
  let unseen = 0
  for (const room of new Set(run.acked.map((one) => one.room))) {
    const acked = run.acked.filter((one) => one.room === room)
    const feeds = run.feeds.filter((feed) => feed.room === room)
    const log = finalLog(feeds, acked)
    checkOrder(room, acked, log, complain)
    const told = feeds.map((feed) => new Told(feed))
    for (const one of acked) {
      const isLost = !log.has(one.position)
      if (isLost) {
        lost++
        if (!rules.loses)
          complain('lost', `${one.id}, acked at ${at(one.position)} of ${room}, is not in its log`)
      }
      let isUnseen = false
      for (const member of told) {
        const verdict = member.verdict(one, isLost)
        if (verdict === 'elsewhere')
          complain('ack', `${member.who} got ${one.id} in ${room}, and not at ${at(one.position)} as acked`)
        else if (verdict === 'missing' && isLost && rules.loses) isUnseen = true
        else if (verdict === 'missing')
          complain('missing', `${one.id} at ${at(one.position)} of ${room} never reached ${member.who}`)
      }
      if (isUnseen) unseen++
    }
  }
  return { lost, unseen }
}

/** Who was acked before another was called stands before it. */
function checkOrder(room: string, acked: readonly Acked[], log: FinalLog, complain: Complain): void {
  const kept = acked.filter(({ position }) => log.has(position))
  const byEnd = kept.toSorted((a, b) => a.ackedAt - b.ackedAt)
  let before: Acked | undefined
  let i = 0
  for (const one of kept.toSorted((a, b) => a.calledAt - b.calledAt)) {
    for (let next = byEnd[i]; next !== undefined && next.ackedAt < one.calledAt; next = byEnd[++i]) {
      if (before === undefined || next.position.offset > before.position.offset) before = next
    }
    if (before !== undefined && before.position.offset > one.position.offset)
      complain('order', `${before.id} was acked before ${one.id} was called, and stands behind it in ${room}`)
  }
}

/** A place in a member's row, and the gaps that came right behind it. */
interface Step {
  readonly position: Position
  readonly gaps: GapReason[]
}

/** What one member was told, to look positions up in. */
class Told {
  readonly who: string
  readonly #hasLeft: boolean
  readonly #ids = new Set<string>()
  readonly #positions = new Set<string>()
  readonly #places = new Set<string>()
  readonly #row: Step[] = []

  constructor({ who, hasLeft, lines }: Feed) {
    this.who = who
    this.#hasLeft = hasLeft
    for (const line of lines) {
      const last = this.#row.at(-1)
      if (line.type === 'gap') last?.gaps.push(line.reason)
      else if (line.position !== undefined && (line.type === 'event' || last === undefined)) {
        this.#row.push({ position: line.position, gaps: [] })
        if (line.type === 'joined') continue
        this.#ids.add(line.id)
        this.#positions.add(`${line.id} ${at(line.position)}`)
        this.#places.add(placeOf(line.position))
      }
    }
  }

  verdict({ id, position }: Acked, isLost: boolean): 'reached' | 'excused' | 'elsewhere' | 'missing' {
    if (this.#positions.has(`${id} ${at(position)}`)) return 'reached'
    if (this.#wasAway(position) || this.#row.some((_, i) => this.#isCovered(i, position, isLost)))
      return 'excused'
    return this.#ids.has(id) ? 'elsewhere' : 'missing'
  }

  /** Whether it came later, or went before. */
  #wasAway({ epoch, offset }: Position): boolean {
    const [first] = this.#row
    const last = this.#row.at(-1)
    if (first === undefined || last === undefined) return true
    if (first.position.epoch === epoch && offset <= first.position.offset) return true
    return this.#hasLeft && (last.position.epoch !== epoch || last.position.offset < offset)
  }

  /** Whether a gap behind a step was told where the position would have stood. */
  #isCovered(i: number, { epoch, offset, tag }: Position, isLost: boolean): boolean {
    const step = this.#row[i]
    if (step === undefined || step.gaps.length === 0) return false
    const before = step.position
    const after = this.#row[i + 1]?.position
    const leaves = before.epoch === epoch
    const enters = after === undefined || after.epoch === epoch
    // From one life of the log into another: what stood in a third one is gone from both.
    if (!leaves && !enters) return isLost
    // Another history of that place, of which the member was told.
    if (step.gaps.includes('forked') && this.#places.has(placeOf({ epoch, offset, tag }))) return true
    return (!leaves || offset > before.offset) && (after?.epoch !== epoch || offset < after.offset)
  }
}
