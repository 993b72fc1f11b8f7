/**
 * `npm run readers -- [--readers 500] [--members 5] [--rate 1000] [--seconds 4] [--bytes 1000] [--cap 1048576] [--json]`
 *
 * Stopped readers in a room at so many publications a second: the server's RSS against its bound, and what members that read notice. The
 * last line is one JSON object. `ok`: the RSS is within baseline + readers × cap, nobody holds more than the cap, and the p99 of the others is
 * within `TOLERANCE_MS` of what it was.
 */
import { parseArgs } from 'node:util'
import { mib, stoppedReaders } from './run.js'

/** What a scheduler with fewer cores than processes adds by itself. */
const TOLERANCE_MS = 15
/** Control frames beyond the cap: ws writes them by itself. */
const CONTROL_BYTES = 8000

const { values } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    readers: { type: 'string', default: '500' },
    members: { type: 'string', default: '5' },
    rate: { type: 'string', default: '1000' },
    seconds: { type: 'string', default: '4' },
    bytes: { type: 'string', default: '1000' },
    cap: { type: 'string', default: '1048576' },
  },
})

const experiment = {
  readers: Number(values.readers),
  members: Number(values.members),
  rate: Number(values.rate),
  seconds: Number(values.seconds),
  bytes: Number(values.bytes),
  cap: Number(values.cap),
}
if (!Object.values(experiment).every((value) => Number.isSafeInteger(value) && value > 0))
  throw new Error('every figure is a whole number above 0')

const {
  before,
  after,
  rssBound,
  without,
  with: latency,
} = await stoppedReaders(experiment, (line) => console.error(line))
const checks = {
  rss: after.rss <= rssBound,
  held: after.most <= experiment.cap + CONTROL_BYTES,
  // Otherwise nothing was tried.
  full: after.buffered >= 0.5 * experiment.readers * experiment.cap,
  p99: latency.p99 <= without.p99 + TOLERANCE_MS,
  members: after.members === experiment.members + experiment.readers,
}
const ok = Object.values(checks).every(Boolean)
const rounded = ({ p50, p99, most }: typeof latency) => ({
  p50: Math.round(p50 * 10) / 10,
  p99: Math.round(p99 * 10) / 10,
  most: Math.round(most * 10) / 10,
})
if (!values.json)
  console.error(
    `RSS ${mib(after.rss)}, bound ${mib(rssBound)}; ${ok ? 'ok' : `NOT ok: ${JSON.stringify(checks)}`}`,
  )
console.log(
  JSON.stringify({
    ok,
    ...experiment,
    checks,
    rssBefore: before.rss,
    rssAfter: after.rss,
    rssBound,
    heldBack: after.buffered,
    mostByOne: after.most,
    dropped: after.dropped,
    behind: after.behind,
    without: rounded(without),
    with: rounded(latency),
  }),
)
process.exitCode = ok ? 0 : 1
