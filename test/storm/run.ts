/**
 * `npm run storm -- [--connections 5000] [--json]`: so many clients lose their connection in one moment and come back in the
 * same, half of them with the token in the upgrade. All options are at their defaults, but for the caps on one address and one node.
 * The exit code is 0 where everybody is back and every refusal said when to come again.
 */
import { parseArgs } from 'node:util'
import { storm } from './storm.js'

const { values } = parseArgs({
  options: { connections: { type: 'string', default: '5000' }, json: { type: 'boolean', default: false } },
})
const connections = Number(values.connections)
if (!Number.isSafeInteger(connections) || connections < 1 || connections > 20_000)
  throw new Error('--connections: an integer from 1 to 20,000')
const found = await storm({
  connections,
  options: {},
  second: 1000,
  progress: (line) => console.error(line),
})
if (values.json) console.log(JSON.stringify(found))
else console.log(found)
process.exitCode = found.ok ? 0 : 1
