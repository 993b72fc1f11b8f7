#!/usr/bin/env node
/**
 * What `npm test` runs, in order, up to the first stage that fails: lint, types, build, type tests, tests.
 *
 * The last line is `N passed, M failed` (and `, K skipped` where there are any): the tests, and one for each other stage. With
 * `--json` it is one JSON object with ok, passed, failed, skipped and seconds instead. The exit code is 0 where nothing failed.
 */
import { spawn } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const json = process.argv.includes('--json')
const total = { passed: 0, failed: 0, skipped: 0 }

/** The npm scripts that run before the tests. */
const checks = ['lint', 'typecheck', 'build', 'test:types']

/** How long all of it may take. */
const limit = 590_000
const started = performance.now()

const windows = process.platform === 'win32'

/** Ends a stage: its whole process group, since npm does not pass a signal on to what its script started. */
function endAll(child) {
  if (windows) return child.kill()
  try {
    process.kill(-child.pid, 'SIGKILL')
  } catch (error) {
    if (error.code !== 'ESRCH') throw error // It has just ended.
  }
}

/** Ends the stage that runs. */
let stop = () => {}
for (const [signal, code] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
]) {
  process.once(signal, () => {
    stop()
    process.exit(code)
  })
}

/** Runs an npm script of the root; resolves with whether it succeeded, why not, and what it printed if `quiet`. */
function run(script, args, { quiet }) {
  return new Promise((resolve) => {
    const child = spawn('npm', ['run', '--silent', script, '--', ...args], {
      cwd: root,
      stdio: ['ignore', quiet ? 'pipe' : 'inherit', quiet ? 'pipe' : 'inherit'],
      shell: windows,
      detached: !windows,
    })
    stop = () => endAll(child)
    const timer = setTimeout(stop, limit - (performance.now() - started))
    const streams = [child.stdout, child.stderr].flatMap((stream) => (stream === null ? [] : [text(stream)]))
    const ended = () => {
      clearTimeout(timer)
      stop = () => {}
    }
    child.on('error', (error) => {
      ended()
      resolve({ ok: false, why: error.message, output: '' })
    })
    child.on('close', async (code, signal) => {
      ended()
      const why = signal
        ? `ended by ${signal}; all stages together may take ${limit / 1000} s`
        : `exit code ${code}`
      resolve({ ok: code === 0, why, output: (await Promise.all(streams)).join('') })
    })
  })
}

/** Counts vitest's JSON report. A file or a run that failed outside of any test counts as one failure. */
function count(report, ok) {
  const counted = {
    passed: report.numPassedTests,
    failed: report.numFailedTests,
    skipped: report.numPendingTests + report.numTodoTests,
  }
  for (const file of report.testResults) {
    const told = file.assertionResults.some((test) => test.status === 'failed')
    if (file.status === 'failed' && !told) counted.failed++
  }
  if (!ok && counted.failed === 0) counted.failed = 1
  return counted
}

async function unitTests() {
  const folder = await mkdtemp(join(tmpdir(), 'ackord-test-'))
  const file = join(folder, 'report.json')
  try {
    const args = ['--reporter=default', '--reporter=json', `--outputFile.json=${file}`]
    const { ok, why } = await run('test:unit', args, { quiet: false })
    const report = await readFile(file, 'utf8').then(JSON.parse, () => undefined)
    if (report === undefined) return { passed: 0, failed: 1, skipped: 0, why: `no report: ${why}` }
    return { ...count(report, ok), why }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

const since = (start) => `${((performance.now() - start) / 1000).toFixed(1)} s`

async function main() {
  for (const script of checks) {
    const start = performance.now()
    process.stdout.write(`${script} … `)
    const { ok, why, output } = await run(script, [], { quiet: true })
    total[ok ? 'passed' : 'failed']++
    console.log(ok ? `ok, ${since(start)}` : `FAILED after ${since(start)} (${why})`)
    if (ok) continue
    console.log(output)
    console.log(
      `Stopped at ${script}: what comes after it did not run. Repeat it alone with: npm run ${script}`,
    )
    return
  }
  const start = performance.now()
  console.log('test:unit …')
  const { why, ...tests } = await unitTests()
  for (const key of Object.keys(total)) total[key] += tests[key]
  console.log(`test:unit ${tests.failed === 0 ? 'ok' : 'FAILED'}, ${since(start)}`)
  if (tests.failed > 0) console.log(`Stopped at test:unit (${why}). Repeat it alone with: npm run test:unit`)
}

await main()
const { passed, failed, skipped } = total
const ok = failed === 0
process.exitCode = ok ? 0 : 1
if (json) {
  const seconds = Math.round((performance.now() - started) / 100) / 10
  console.log(JSON.stringify({ ok, passed, failed, skipped, seconds }))
} else {
  console.log(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`)
}
