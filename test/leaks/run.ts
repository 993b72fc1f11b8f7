/**
 * `npm run leaks -- [--count 20000] [--json]`: so many upgrades refused by mute peers and so many connections dropped; says what of
 * descriptors, timers, maps and heap is left of them. The exit code is 0 where nothing is.
 */
import { parseArgs } from 'node:util'
import { measureLeaks } from './leaks.js'

const { values } = parseArgs({
  options: { count: { type: 'string', default: '20000' }, json: { type: 'boolean', default: false } },
})
const count = Number(values.count)
if (!Number.isSafeInteger(count) || count < 1 || count > 1_000_000)
  throw new Error('--count: an integer from 1 to 1,000,000')
const found = await measureLeaks(count, (line) => console.error(line))
if (values.json) console.log(JSON.stringify(found))
else console.log(found)
process.exitCode = found.ok ? 0 : 1
