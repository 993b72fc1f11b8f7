/**
 * `npm run fuzz -- [--frames 1000000] [--seed N] [--json]`: a server against so many frames, half of them wrong in some way, broken
 * bytes and broken handshakes; says what became of it. A fault names its case: `--seed N --case M` runs that one alone. The exit code
 * is 0 where there is none. Progress goes to stderr.
 */
import { randomInt } from 'node:crypto'
import { inspect, parseArgs } from 'node:util'
import { fuzz } from './fuzz.js'

const { values } = parseArgs({
  options: {
    frames: { type: 'string', default: '1000000' },
    seed: { type: 'string', default: String(randomInt(2 ** 31)) },
    case: { type: 'string' },
    json: { type: 'boolean', default: false },
  },
})

function integer(name: string, value: string, least: number, most: number): number {
  const n = Number(value)
  if (Number.isSafeInteger(n) && n >= least && n <= most) return n
  throw new Error(`--${name}: an integer from ${least} to ${most}`)
}

const found = await fuzz({
  frames: integer('frames', values.frames, 1, 1_000_000_000),
  seed: integer('seed', values.seed, 0, 2 ** 32),
  only: values.case === undefined ? undefined : integer('case', values.case, 0, 1_000_000_000),
  progress: (line) => console.error(line),
})
console.log(values.json ? JSON.stringify(found) : inspect(found, { depth: 5 }))
// Not by `exitCode`: a socket whose reset failed is never closed by Node, and would hold up the end of the process for ever.
process.exit(found.ok ? 0 : 1)
