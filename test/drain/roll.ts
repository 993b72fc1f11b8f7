/**
 * `npm run rolling -- [--rounds 5] [--clients 20] [--even] [--json]`: restarts two processes behind nginx in turn while clients call.
 * No call may fail or run twice. With `--even` nginx spreads connections evenly instead of sticky. With `--json` the last line is
 * one object with ok and figures.
 */
import { parseArgs } from 'node:util'
import { roll } from './rolling.js'

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    clients: { type: 'string', default: '20' },
    even: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  },
})
const result = await roll({
  rounds: Number(values.rounds),
  clients: Number(values.clients),
  sticky: !values.even,
  tell: (line) => console.log(line),
})
console.log(values.json ? JSON.stringify(result) : result)
process.exitCode = result.ok ? 0 : 1
