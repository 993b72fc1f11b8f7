/** `npm run bench -- SUITE`: measures ackord beside others. README.md says how to read the figures. */
import { parseArgs } from 'node:util'
import { report } from './harness/report.mjs'
import { runSuite } from './harness/suite.mjs'
import fanout from './suites/fanout.mjs'
import redis from './suites/redis.mjs'
import rpc from './suites/rpc.mjs'

const SUITES = { rpc, fanout, redis }
const USAGE = `npm run bench -- ${Object.keys(SUITES).join('|')} [options]
  --rounds N        how often each peer has its turn (6)
  --against a,b     which peers beside the baseline and ackord: names of test/bench/peers/, or paths
  --seconds S       how long each measurement takes (1)
  --connections N   instead of the suite's own number
  --json            prints one line of JSON on stdout, the table on stderr`

/** @param {string} line */
const progress = (line) => void process.stderr.write(`${line}\n`)

/** Reads the command line. Throws where it makes no sense. */
function options() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      rounds: { type: 'string', default: '6' },
      seconds: { type: 'string', default: '1' },
      connections: { type: 'string' },
      against: { type: 'string' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  })
  if (values.help) return undefined
  const [name = ''] = positionals
  const suite = Object.entries(SUITES).find(([key]) => key === name)?.[1]
  if (suite === undefined || positionals.length > 1) throw new Error(`no suite: ${positionals.join(' ')}`)
  return {
    suite,
    json: values.json,
    rounds: number('rounds', values.rounds, 1, 1000),
    seconds: number('seconds', values.seconds, 0.01, 60),
    ...(values.connections !== undefined && {
      connections: number('connections', values.connections, 1, 10_000),
    }),
    ...(values.against !== undefined && { against: values.against.split(',').filter(Boolean) }),
  }
}

/** @param {string} name @param {string} text @param {number} least @param {number} most */
function number(name, text, least, most) {
  const value = Number(text)
  if (!(value >= least && value <= most)) throw new Error(`--${name} is ${least} to ${most}, not ${text}`)
  return value
}

async function main() {
  const given = options()
  if (given === undefined) {
    process.stdout.write(`${USAGE}\n`)
    return
  }
  const { suite, json, ...run } = given
  const result = await runSuite(suite, run, progress)
  if (json) {
    progress(report(result))
    process.stdout.write(`${JSON.stringify(result)}\n`)
  } else {
    process.stdout.write(`${report(result)}\n`)
  }
  process.exitCode = result.ok ? 0 : 1
}

try {
  await main()
} catch (error) {
  progress(`${error instanceof Error ? error.message : error}\n\n${USAGE}`)
  process.exitCode = 2
}
