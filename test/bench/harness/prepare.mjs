/** What a run needs before it starts: other people's packages, and the package itself, built. */
import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, readdirSync, statSync } from 'node:fs'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import { fromRoot, loadPeer, peerFile } from './peer.mjs'

const BENCH = fileURLToPath(new URL('..', import.meta.url))
const ROOT = fileURLToPath(new URL('../../..', import.meta.url))
const fromBench = createRequire(new URL('../package.json', import.meta.url))

/**
 * Installs and builds what these peers need and is not there. Throws where that fails, or one is no peer of the suite.
 * @param {import('./peer.mjs').SuiteName} suite
 * @param {string[]} names
 * @param {(line: string) => void} progress
 */
export async function prepare(suite, names, progress) {
  const peers = await Promise.all(names.map((name) => loadPeer(peerFile(name))))
  for (const peer of peers) {
    if (peer[suite] === undefined) throw new Error(`${peer.name} is no peer of ${suite}`)
  }
  const missing = peers.flatMap(({ needs = [] }) => needs).filter((name) => !isInstalled(name))
  if (missing.length > 0) {
    progress(`installing ${missing.join(', ')} in test/bench …`)
    run('npm', ['ci', '--no-audit', '--no-fund'], BENCH)
  }
  if (peers.some(({ build }) => build) && isStale()) {
    progress('building ackord …')
    // Not `npm run build`, which empties dist/ first: somebody may be running from it.
    run(process.execPath, [fromRoot.resolve('typescript/bin/tsc'), '-p', 'tsconfig.build.json'], ROOT)
    cpSync(`${ROOT}/plugins/redis/lua`, `${ROOT}/dist/plugins/redis/lua`, { recursive: true })
  }
}

/** @param {string} name */
function isInstalled(name) {
  try {
    fromBench.resolve(name)
    return true
  } catch {
    return false
  }
}

/** Whether a source is newer than what was built of it. */
function isStale() {
  const built = `${ROOT}/dist/plugins/index.js`
  if (!existsSync(built)) return true
  const { mtimeMs } = statSync(built)
  return ['contract', 'plugins'].some((folder) =>
    readdirSync(`${ROOT}/${folder}`, { recursive: true }).some(
      (file) => String(file).endsWith('.ts') && statSync(`${ROOT}/${folder}/${file}`).mtimeMs > mtimeMs,
    ),
  )
}

/** @param {string} command @param {string[]} args @param {string} cwd */
function run(command, args, cwd) {
  // stdout is for the result alone.
  const { status, error } = spawnSync(command, args, {
    cwd,
    stdio: ['ignore', process.stderr.fd, process.stderr.fd],
  })
  if (error) throw error
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${status}`)
}
