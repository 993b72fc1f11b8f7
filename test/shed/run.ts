/**
 * `npm run shed -- [--members 200] [--rate 500] [--publications 10] [--seconds 4] [--at-once 2000] [--cost 1024] [--rounds 3] [--json]`
 *
 * Members that call and listen while newcomers come as fast as the loopback bears them, `--at-once` on their way at a time, whose tokens cost
 * scrypt with N = `--cost`: at the default `maxLag` and at its highest, which sheds nobody, in turns. Of each figure the median of the rounds.
 * The last line is one JSON object. `ok`: nobody who was connected is lost or unanswered; with shedding each newcomer is let in or gets 503
 * with Retry-After, the first before a call has waited for 300 ms, the event loop is late by no more than that, and the members' p99 is less
 * than half of what it is without; without it, the loop is later. What members feel holds what other processes take from their machine.
 */
import { parseArgs } from 'node:util'
import { LATE_MS, type Seen } from './members.js'
import { type Outcome, weather } from './shed.js'

/** A setting and its options. */
const SETTINGS = { on: {}, off: { maxLag: 60_000 } } as const

const { values } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    members: { type: 'string', default: '200' },
    rate: { type: 'string', default: '500' },
    publications: { type: 'string', default: '10' },
    seconds: { type: 'string', default: '4' },
    'at-once': { type: 'string', default: '2000' },
    cost: { type: 'string', default: '1024' },
    rounds: { type: 'string', default: '3' },
  },
})
const experiment = {
  members: Number(values.members),
  rate: Number(values.rate),
  publications: Number(values.publications),
  seconds: Number(values.seconds),
  cost: Number(values.cost),
  atOnce: Number(values['at-once']),
}
const rounds = Number(values.rounds)
if (![...Object.values(experiment), rounds].every((n) => Number.isSafeInteger(n) && n > 0))
  throw new Error('every figure is a whole number above 0')

/** The median of what is there, the higher one of two; null where nothing is. */
function median(list: ReadonlyArray<number | undefined>): number | null {
  const sorted = list.filter((n) => n !== undefined).sort((a, b) => a - b)
  const middle = sorted[Math.floor(sorted.length / 2)]
  return middle === undefined ? null : Math.round(middle * 10) / 10
}

const seen = (list: readonly Seen[], what: 'calls' | 'publications') => ({
  p50: median(list.map((phase) => phase[what].p50)),
  p99: median(list.map((phase) => phase[what].p99)),
  most: median(list.map((phase) => phase[what].most)),
})

function figures(outcomes: readonly Outcome[]) {
  const calm = outcomes.map((outcome) => outcome.calm)
  const storm = outcomes.map((outcome) => outcome.storm)
  const arrivals = outcomes.map((outcome) => outcome.arrivals)
  return {
    calm: { calls: seen(calm, 'calls'), publications: seen(calm, 'publications') },
    storm: { calls: seen(storm, 'calls'), publications: seen(storm, 'publications') },
    welcomed: median(arrivals.map(({ welcomed }) => welcomed)),
    refused: median(arrivals.map(({ refused }) => refused)),
    firstRefusal: median(arrivals.map(({ firstRefusal }) => firstRefusal)),
    firstLate: median(storm.map(({ firstLate }) => firstLate)),
    others: arrivals.map(({ others }) => others),
    upgrade: {
      p50: median(arrivals.map(({ upgrade }) => upgrade.p50)),
      most: median(arrivals.map(({ upgrade }) => upgrade.most)),
    },
    lag: median(outcomes.map(({ lag }) => lag)),
    verification: median(outcomes.map(({ verification }) => verification)),
    unanswered: storm.reduce((sum, { unanswered }) => sum + unanswered, 0),
    lost: outcomes.reduce((sum, { lost }) => sum + lost, 0),
  }
}

type Found = ReturnType<typeof figures>

function tell(name: string, found: Found): void {
  const { calm, storm, welcomed, refused, firstRefusal, firstLate, others, upgrade, lag, verification } =
    found
  const of = ({ p50, p99, most }: Found['calm']['calls']): string => `${p50} / ${p99} / ${most}`
  console.error(`shedding ${name}; p50 / p99 / most in ms; a verification took ${verification} ms`)
  console.error(`  calls of members: calm ${of(calm.calls)}, storm ${of(storm.calls)}`)
  console.error(`  publications: calm ${of(calm.publications)}, storm ${of(storm.publications)}`)
  console.error(
    `  newcomers: ${welcomed} welcomed, ${refused} refused with 503 and Retry-After; others ${JSON.stringify(others)}`,
  )
  console.error(
    `  ms from the start of the storm: first 503 ${firstRefusal ?? '–'}, first call late by ${LATE_MS} ms ${firstLate ?? '–'}`,
  )
  console.error(
    `  a 101 took ${upgrade.p50} / – / ${upgrade.most}; the event loop was late by up to ${lag} ms`,
  )
}

const on: Outcome[] = []
const off: Outcome[] = []
for (let round = 1; round <= rounds; round++) {
  on.push(await weather(experiment, SETTINGS.on))
  off.push(await weather(experiment, SETTINGS.off))
  console.error(`round ${round} of ${rounds}`)
  tell('on', figures(on.slice(-1)))
  tell('off', figures(off.slice(-1)))
}
const found = { on: figures(on), off: figures(off) }
const checks = {
  members: [...on, ...off].every(({ storm, lost }) => storm.unanswered === 0 && lost === 0),
  newcomers: on.every(({ arrivals }) => Object.keys(arrivals.others).length === 0),
  before: on.every(
    ({ arrivals, storm }) => (arrivals.firstRefusal ?? Infinity) < (storm.firstLate ?? Infinity),
  ),
  lag: (found.on.lag ?? Infinity) <= LATE_MS,
  p99: (found.on.storm.calls.p99 ?? Infinity) * 2 < (found.off.storm.calls.p99 ?? 0),
  // Otherwise nothing was tried.
  storm: (found.off.lag ?? 0) > LATE_MS,
}
const ok = Object.values(checks).every(Boolean)
if (!values.json) {
  console.error(`the medians of ${rounds}; ${ok ? 'ok' : `NOT ok: ${JSON.stringify(checks)}`}`)
  tell('on', found.on)
  tell('off', found.off)
}
console.log(JSON.stringify({ ok, checks, ...experiment, rounds, ...found }))
process.exitCode = ok ? 0 : 1
