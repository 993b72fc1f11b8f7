/**
 * `npm run drain -- [--tries 100] [--seed 1] [--json]`: closes a server under load again and again. Each has to be closed within
 * its grace time and its process to end by itself; a machine with other work to do may add 250 ms, and more than that only where
 * the process got no CPU (`starved`). `within` is the strict count: those that took no longer than the grace time. With `--json`
 * the last line is one object with ok and figures.
 */
import { parseArgs } from 'node:util'
import { GRACE, seeded, tryOnce } from './tries.js'

const { values } = parseArgs({
  options: {
    tries: { type: 'string', default: '100' },
    seed: { type: 'string', default: '1' },
    json: { type: 'boolean', default: false },
  },
})
const tries = Number(values.tries)
const seed = Number(values.seed)
const took: number[] = []
let good = 0
let starved = 0
for (let n = 0; n < tries; n++) {
  const { mix, wrong, closedAfter, starved: late } = await tryOnce(seeded(seed + n))
  took.push(closedAfter)
  if (late) starved++
  if (wrong.length === 0) good++
  else console.log(`try ${n} (--tries 1 --seed ${seed + n}): ${wrong.join(', ')} ${JSON.stringify(mix)}`)
  if ((n + 1) % 10 === 0) console.log(`${n + 1} of ${tries}, ${good} good`)
}
took.sort((a, b) => a - b)
const at = (share: number): number => Math.round(took[Math.floor((took.length - 1) * share)] ?? 0)
const result = {
  ok: good === tries,
  tries,
  good,
  starved,
  within: took.filter((ms) => ms <= GRACE).length,
  grace: GRACE,
  p50: at(0.5),
  p99: at(0.99),
  slowest: at(1),
}
console.log(
  values.json
    ? JSON.stringify(result)
    : `${good} of ${tries} good; closed within ${GRACE} ms: ${result.within} of ${tries}; p50 ${result.p50}, slowest ${result.slowest}`,
)
process.exitCode = result.ok ? 0 : 1
