/** A suite that compares servers under load: what it measures, and how its figures become a result. */
import { CAN_PIN } from './child.mjs'
import { GENERATOR_LIMIT, interleave } from './interleave.mjs'
import { peerFile } from './peer.mjs'
import { prepare } from './prepare.mjs'
import { spread } from './statistics.mjs'

/** @import { Row, Scenario } from './interleave.mjs' */

/** What is held against the goals. */
export const SUBJECT = 'ackord'

/**
 * The subject's CPU time per message must be at most so many times that of another peer.
 * @typedef {{ scenario: string, against: string, atMost: number }} Goal
 */

/**
 * @typedef {object} Suite
 * @property {'rpc' | 'fanout'} name
 * @property {string} baseline the peer all others are given as a ratio to
 * @property {string[]} peers measured beside the baseline and the subject
 * @property {number} connections
 * @property {string} unit
 * @property {Scenario[]} scenarios
 * @property {Goal[]} goals
 */

/**
 * A goal and what came of it.
 * @typedef {{ name: string, goal: number, value: number, against: string, ok: boolean }} Target
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
    const { name, scenarios } = suite
    rows = await interleave({ suite: name, scenarios, peers, rounds, connections, seconds }, progress)
    why = rows.filter(({ generator }) => generator.median > GENERATOR_LIMIT).map(refusal)
  } catch (error) {
    why = [error instanceof Error ? error.message : String(error)]
  }
  const targets = suite.goals.flatMap((goal) => target(suite, goal, rows))
  why.push(
    ...targets
      .filter(({ ok }) => !ok)
      .map(({ name, goal, value, against }) => `${name}: ${value.toFixed(2)} × ${against}, goal ${goal}`),
  )
  const { name: bench, unit } = suite
  return { bench, ok: why.length === 0, why, unit, rounds, connections, pinned: CAN_PIN, rows, targets }
}

/** @param {Row} row */
const refusal = ({ peer, scenario, generator }) =>
  `${peer}, ${scenario}: the load generator was busy for ${Math.round(generator.median * 100)} % of the time, ` +
  `above ${GENERATOR_LIMIT * 100} % it is itself what is measured`

/**
 * @param {Suite} suite
 * @param {Goal} goal
 * @param {Row[]} rows
 * @returns {Target[]} none where one of the two was not measured
 */
function target(suite, { scenario, against, atMost }, rows) {
  const find = (/** @type {string} */ peer) =>
    rows.find((row) => row.peer === peer && row.scenario === scenario)
  const subject = find(SUBJECT)
  const other = find(against)
  if (subject === undefined || other === undefined) return []
  const value = spread(subject.samples.map((cpu, round) => cpu / (other.samples[round] ?? Number.NaN))).median
  return [{ name: `${suite.name} ${scenario}`, goal: atMost, value, against, ok: value <= atMost }]
}
