/**
 * `npm run throttled -- [--grace 300] [--keep 240] [--json]`: a client in a hidden tab of the Chromium of this machine, until Chromium lets
 * the page's timers fire once a minute only, and `keep` seconds from then on. `grace` is after how many seconds Chromium begins; 300 is
 * its own, for others it is told. The exit code is 0 where the tab was throttled and kept its one connection. With `--json` the last
 * line is one object with ok and figures. Progress goes to stderr.
 */
import { parseArgs } from 'node:util'
import { findChromium } from '../browser/support/chromium.js'
import { GRACE, watchTab } from './tab.js'

const { values } = parseArgs({
  options: {
    grace: { type: 'string', default: String(GRACE) },
    keep: { type: 'string', default: '240' },
    json: { type: 'boolean', default: false },
  },
})

function integer(name: string, value: string, least: number, most: number): number {
  const n = Number(value)
  if (Number.isSafeInteger(n) && n >= least && n <= most) return n
  throw new Error(`--${name}: an integer from ${least} to ${most}`)
}

const executable = findChromium()
if (executable === undefined) throw new Error('no Chromium: install one, or set CHROMIUM_PATH')
const found = await watchTab({
  executable,
  grace: integer('grace', values.grace, 10, 3600),
  keep: integer('keep', values.keep, 240, 86_400),
  progress: (line) => console.error(line),
})
console.log(values.json ? JSON.stringify(found) : found)
process.exitCode = found.ok ? 0 : 1
