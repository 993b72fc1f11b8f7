/**
 * `npm run faults -- [--only name,…] [--seed 1] [--seconds 3] [--clients 12] [--rate 5] [--list] [--json]`: three nodes and their clients in
 * processes of their own, one fault after the other, and a checker that reads what every client was told. Then the conformance suite
 * of brokers on Sentinel and on a Cluster (`--only conformance`). The last line is one JSON object with ok and the figures of each.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import type { Load } from './run.js'
import { scenarios } from './scenarios.js'

const CONFORMANCE = 'conformance'

const { values } = parseArgs({
  options: {
    only: { type: 'string', default: '' },
    seed: { type: 'string', default: '1' },
    seconds: { type: 'string', default: '3' },
    clients: { type: 'string', default: '12' },
    rate: { type: 'string', default: '5' },
    list: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  },
})
const names = [...scenarios.map(({ name }) => name), CONFORMANCE]
const only = values.only === '' ? names : values.only.split(',')
for (const name of only)
  if (!names.includes(name)) throw new Error(`no fault ${name}; there are ${names.join(', ')}`)
if (values.list) {
  console.log(names.join('\n'))
  process.exit(0)
}
const load: Load = {
  seed: Number(values.seed),
  seconds: Number(values.seconds),
  clients: Number(values.clients),
  rate: Number(values.rate),
}
if (!Object.values(load).every((value) => Number.isSafeInteger(value) && value > 0) || load.clients < 4)
  throw new Error('every figure is a whole number above 0, and there are 4 clients at least')

// What ends with this process has to be told.
process.once('SIGINT', () => process.exit(130))
process.once('SIGTERM', () => process.exit(143))

const tell = (line: string): void => console.error(line)
const results: Record<string, { readonly ok: boolean }> = {}
for (const { name, run } of scenarios) {
  if (!only.includes(name)) continue
  tell(`${name} …`)
  const outcome = await run(load, (line) => tell(`  ${line}`)).catch((error: unknown) => ({
    ok: false,
    error: String(error),
  }))
  results[name] = outcome
  tell(`${name} ${outcome.ok ? 'ok' : 'FAILED'}: ${JSON.stringify(outcome)}`)
}
if (only.includes(CONFORMANCE)) {
  tell(`${CONFORMANCE} …`)
  results[CONFORMANCE] = { ok: await conforms() }
}
const ok = Object.values(results).every((one) => one.ok)
console.log(JSON.stringify({ ok, ...load, scenarios: results }))
process.exitCode = ok ? 0 : 1

/** Runs the suites that npm test leaves out. */
async function conforms(): Promise<boolean> {
  const config = fileURLToPath(new URL('./conformance/vitest.config.ts', import.meta.url))
  const child = spawn('npx', ['vitest', 'run', '--config', config], { stdio: ['ignore', 2, 2] })
  const [code] = await once(child, 'exit')
  return code === 0
}
