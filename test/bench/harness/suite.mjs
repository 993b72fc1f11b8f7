/** A suite that compares servers under load: what it measures, and how its figures become a result. */
import { CAN_PIN } from './child.mjs'
import { GENERATOR_LIMIT, interleave } from './interleave.mjs'
import { peerFile } from './peer.mjs'
import { prepare } from './prepare.mjs'
import { oneServer } from './site.mjs'
import { spread } from './statistics.mjs'

/** @import { Row, Scenario } from './interleave.mjs' */
/** @import { SuiteName } from './peer.mjs' */
/** @import { Site } from './site.mjs' */

/** What is held against the goals. */
export const SUBJECT = 'ackord'

/**
 * A figure of the subject must be at most, or at least, so many times that of another peer in the same round; without `against`, so much.
 * @typedef {object} Goal
 * @property {string} scenario
 * @property {string} [subject] a peer (ackord)
 * @property {string} [of] which figure: `rate`, `p99` (ms), or CPU time per message, of all (the default) or of one of the parts
 * @property {string} [against] another peer
 * @property {number} [atMost]
 * @property {number} [atLeast]
 */

/**
 * @typedef {object} Suite
 * @property {SuiteName} name
 * @property {(file: string, suite: SuiteName) => Site} [site] what a peer is served by: one process, where nothing is said
 * @property {string} baseline the peer all others are given as a ratio to
 * @property {string[]} peers measured beside the baseline and the subject
 * @property {number} connections
 * @property {string} unit
 * @property {Scenario[]} scenarios
 * @property {Goal[]} goals
 */

/**
 * A goal and what came of it.
 * @typedef {object} Target
 * @property {string} name
 * @property {number} goal
 * @property {boolean} [atLeast] whether that is the least, not the most
 * @property {number} value
 * @property {string} against a peer, or a unit
 * @property {boolean} ok
 */

/**
 * @typedef {object} Options
 * @property {number} rounds
 * @property {number} seconds of each measurement
 * @property {number} [connections]
 * @property {string[]} [against] the peers beside the baseline and the subject
 */

/**
 * What a run came to; `--json` prints it.
 * @typedef {object} Result
 * @property {string} bench
 * @property {boolean} ok no reason against it stands in `why`
 * @property {string[]} why the run is not to be trusted, or which goals are missed
 * @property {string} unit of `rows[].cpu`
 * @property {number} rounds
 * @property {number} connections
 * @property {boolean} pinned whether each side had a core of its own
 * @property {Row[]} rows
 * @property {Target[]} targets
 */

/**
 * Installs and builds what is missing, and runs a suite. What goes wrong is in the result, not thrown.
 * @param {Suite} suite
 * @param {Options} options
 * @param {(line: string) => void} progress
 * @returns {Promise<Result>}
 */
export async function runSuite(suite, options, progress) {
  const { rounds, seconds, connections = suite.connections } = options
  const names = [...new Set([suite.baseline, ...(options.against ?? suite.peers), SUBJECT])]
  /** @type {Row[]} */
  let rows = []
  /** @type {string[]} */
  let why = []
  try {
    await prepare(suite.name, names, progress)
    const peers = names.map((name) => ({ name, file: peerFile(name) }))
    const { name, scenarios, site = oneServer } = suite
    rows = await interleave({ suite: name, site, scenarios, peers, rounds, connections, seconds }, progress)
    why = rows.filter(({ generator }) => generator.median > GENERATOR_LIMIT).map(refusal)
  } catch (error) {
    why = [error instanceof Error ? error.message : String(error)]
  }
  const targets = suite.goals.flatMap((goal) => target(suite, goal, rows))
  why.push(
    ...targets
      .filter(({ ok }) => !ok)
      .map((missed) => `${missed.name}: ${missed.value.toFixed(2)} ${factor(missed)}, goal ${bound(missed)}`),
  )
  const { name: bench, unit } = suite
  return { bench, ok: why.length === 0, why, unit, rounds, connections, pinned: CAN_PIN, rows, targets }
}

/** @param {Row} row */
const refusal = ({ peer, scenario, generator }) =>
  `${peer}, ${scenario}: the load generator was busy for ${Math.round(generator.median * 100)} % of the time, ` +
  `above ${GENERATOR_LIMIT * 100} % it is itself what is measured`

/** What a value is of, behind the number. @param {Target} target */
export const factor = ({ against }) => (against === 'ms' ? 'ms' : `× ${against}`)

/** @param {Target} target */
export const bound = ({ goal, atLeast }) => `${atLeast ? '≥' : '≤'} ${goal}`

/**
 * @param {Suite} suite
 * @param {Goal} goal
 * @param {Row[]} rows
 * @returns {Target[]} none where one of the two was not measured
 */
function target(suite, goal, rows) {
  const { scenario, against, of, atMost, atLeast } = goal
  const subject = figures(goal.subject ?? SUBJECT, goal, rows)
  const other = against === undefined ? subject?.map(() => 1) : figures(against, goal, rows)
  if (subject === undefined || other === undefined) return []
  const value = spread(subject.map((figure, round) => figure / (other[round] ?? Number.NaN))).median
  const name = [suite.name, scenario, goal.subject, of].filter(Boolean).join(' ')
  const isLeast = atLeast !== undefined
  const least = isLeast && { atLeast: true }
  const ok = isLeast ? value >= atLeast : value <= (atMost ?? Number.NaN)
  return [{ name, goal: atLeast ?? atMost ?? Number.NaN, ...least, value, against: against ?? 'ms', ok }]
}

/**
 * One figure of a peer, one a round.
 * @param {string} peer
 * @param {Goal} goal
 * @param {Row[]} rows
 */
function figures(peer, { scenario, of = 'cpu' }, rows) {
  return rows.find((row) => row.peer === peer && row.scenario === scenario)?.rounds[of]
}
