/**
 * Measures several peers in one run, taking turns: A B C D, D C B A, and so on, so that whatever else the
 * machine does falls on all of them. A figure is compared with the baseline's of the same round.
 */
import { cpus } from 'node:os'
import { Child } from './child.mjs'
import { LOAD_CORE } from './site.mjs'
import { spread } from './statistics.mjs'

/** @import { LoadOptions, LoadResult } from '../load/load.mjs' */
/** @import { SuiteName } from './peer.mjs' */
/** @import { Site } from './site.mjs' */
/** @import { Spread } from './statistics.mjs' */

/** Above this share of its core, the load generator itself may be what was measured. */
export const GENERATOR_LIMIT = 0.8

/**
 * What is measured of each peer.
 * @typedef {{ name: string } & Omit<LoadOptions, 'ms'>} Scenario
 */

/**
 * One peer in one scenario.
 * @typedef {object} Row
 * @property {string} scenario
 * @property {string} peer
 * @property {Spread} cpu CPU time of all on the server's side per message, µs
 * @property {Record<string, Spread>} [parts] the same of each part, where there are several
 * @property {Record<string, number[]>} rounds what goals are held against, one a round: `cpu`, `rate`, `p99` in ms, and each part's CPU time
 * @property {Spread} ratio of `cpu` to the baseline's in the same round
 * @property {Spread} rate messages/s
 * @property {Spread} p50 µs
 * @property {Spread} p99 µs
 * @property {number} messages in all rounds
 * @property {number} checked of them, how many were found right: a run with a wrong one ends there
 * @property {Spread} generator CPU share of the load generator, of one core
 * @property {Spread} others what the rest of the machine did meanwhile, in cores
 */

/**
 * @typedef {object} Plan
 * @property {SuiteName} suite
 * @property {(file: string, suite: SuiteName) => Site} site what a peer is served by
 * @property {Array<{ name: string, file: string }>} peers the first is the baseline
 * @property {Scenario[]} scenarios
 * @property {number} rounds
 * @property {number} connections
 * @property {number} seconds how long each measurement takes
 */

/** @typedef {LoadResult & { cpu: number, parts: Record<string, number>, others: number }} Sample */

/**
 * A peer in a run: what serves it, and a sample per scenario and round.
 * @typedef {object} Station
 * @property {string} name
 * @property {string} file
 * @property {Site} site
 * @property {object} address
 * @property {Sample[][]} samples
 */

/**
 * @param {Plan} plan
 * @param {(line: string) => void} progress
 * @returns {Promise<Row[]>}
 */
export async function interleave(plan, progress) {
  /** @type {Map<string, Station>} */
  const stations = new Map()
  const load = new Child('load generator', new URL('./load.mjs', import.meta.url), LOAD_CORE)
  try {
    for (const { name, file } of plan.peers) {
      const site = plan.site(file, plan.suite)
      stations.set(name, { name, file, site, address: {}, samples: plan.scenarios.map(() => []) })
    }
    const order = [...stations.values()]
    for (const station of order) {
      station.address = await named(station.name, () => station.site.start())
    }
    for (let round = 0; round < plan.rounds; round++) {
      for (const station of round % 2 === 0 ? order : order.toReversed()) {
        await named(station.name, () => takeTurn(plan, load, station, round, progress))
      }
    }
    return plan.scenarios.flatMap(({ name }, index) =>
      order.map((station) =>
        row(name, station.name, station.samples[index] ?? [], order[0]?.samples[index] ?? []),
      ),
    )
  } finally {
    await Promise.all([load, ...[...stations.values()].map(({ site }) => site)].map((each) => each.stop()))
  }
}

/**
 * @template T
 * @param {string} name of the peer, told with what goes wrong
 * @param {() => Promise<T>} work
 */
async function named(name, work) {
  try {
    return await work()
  } catch (error) {
    throw new Error(`${name}: ${error instanceof Error ? error.message : error}`, { cause: error })
  }
}

/**
 * One peer's turn in one round: connections of its own, every scenario.
 * @param {Plan} plan
 * @param {Child} load
 * @param {Station} station
 * @param {number} round
 * @param {(line: string) => void} progress
 */
async function takeTurn(plan, load, { name, file, site, address, samples }, round, progress) {
  await load.ask('connect', { ...address, file, suite: plan.suite, count: plan.connections }, 60_000)
  for (const [index, scenario] of plan.scenarios.entries()) {
    const sample = await measure(load, site, scenario, plan.seconds, round === 0)
    samples[index]?.push(sample)
    progress(
      `${plan.suite} round ${round + 1}/${plan.rounds}, ${scenario.name}, ${name}: ` +
        `${sample.cpu.toFixed(2)} µs, generator at ${percent(sample.generator)}, others at ${percent(sample.others)}`,
    )
  }
  await load.ask('disconnect')
}

/** @param {number} share */
const percent = (share) => `${Math.round(share * 100)} %`

/**
 * Warms up, then measures: the servers' clocks are read while nothing is in flight, so that the time and the
 * messages belong together.
 * @param {Child} load
 * @param {Site} site
 * @param {Scenario} scenario
 * @param {number} seconds
 * @param {boolean} first the code of a new process is not compiled yet
 * @returns {Promise<Sample>}
 */
async function measure(load, site, { name: _, ...options }, seconds, first) {
  const ms = seconds * 1000
  await load.ask('run', { ms: first ? ms : ms / 4, ...options }, ms + 20_000)
  const busyBefore = busyMs()
  const before = await site.cpu()
  /** @type {LoadResult} */
  const result = await load.ask('run', { ms, ...options }, ms + 20_000)
  const after = await site.cpu()
  const busy = (busyMs() - busyBefore) / 1000
  const used = Object.entries(after).map(
    ([part, cpu]) => /** @type {const} */ ([part, cpu - (before[part] ?? 0)]),
  )
  const all = used.reduce((sum, [, cpu]) => sum + cpu, 0)
  const others = Math.max(0, (busy - all / 1e6) / result.seconds - result.generator)
  const parts = Object.fromEntries(used.map(([part, cpu]) => [part, cpu / result.messages]))
  return { ...result, cpu: all / result.messages, parts, others }
}

/** How long all cores together have been busy so far, in ms. */
function busyMs() {
  return cpus().reduce((sum, { times }) => sum + times.user + times.nice + times.sys + times.irq, 0)
}

/**
 * @param {string} scenario
 * @param {string} peer
 * @param {Sample[]} samples
 * @param {Sample[]} baseline
 * @returns {Row}
 */
function row(scenario, peer, samples, baseline) {
  const names = Object.keys(samples[0]?.parts ?? {})
  const parts = names.map((part) => [part, spread(samples.map((sample) => sample.parts[part] ?? Number.NaN))])
  return {
    scenario,
    peer,
    cpu: spread(samples.map(({ cpu }) => cpu)),
    ...(parts.length > 1 && { parts: Object.fromEntries(parts) }),
    rounds: {
      ...Object.fromEntries(
        names.map((part) => [part, samples.map((sample) => sample.parts[part] ?? Number.NaN)]),
      ),
      cpu: samples.map(({ cpu }) => cpu),
      rate: samples.map((sample) => sample.messages / sample.seconds),
      p99: samples.map(({ p99 }) => p99 / 1000),
    },
    ratio: spread(samples.map(({ cpu }, round) => cpu / (baseline[round]?.cpu ?? Number.NaN))),
    rate: spread(samples.map((sample) => sample.messages / sample.seconds)),
    p50: spread(samples.map(({ p50 }) => p50)),
    p99: spread(samples.map(({ p99 }) => p99)),
    messages: samples.reduce((sum, { messages }) => sum + messages, 0),
    checked: samples.reduce((sum, { checked }) => sum + checked, 0),
    generator: spread(samples.map(({ generator }) => generator)),
    others: spread(samples.map(({ others }) => others)),
  }
}
