import { execFile, spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { describe, expect, it, onTestFinished } from 'vitest'
import { hasNginx, startNginx } from '../support/nginx.js'
import { startForeign } from './server.js'

/** Debian's, which sees Debian's packages. */
const PYTHON = '/usr/bin/python3'
const CLIENT = fileURLToPath(new URL('./client.py', import.meta.url))
/** Fewer would mean that some were lost. */
const CHECKS = 35

const hasPython = spawnSync(PYTHON, ['-c', 'import websockets']).status === 0
const missing = [...(hasPython ? [] : ['python3-websockets']), ...(hasNginx ? [] : ['nginx'])]
if (missing.length > 0) console.error(`A client that is not ours is not tried: no ${missing.join(', no ')}`)

function drive(port: number, hash: string): Promise<string[]> {
  return new Promise((resolve, reject) => {
    const done = (error: Error | null, stdout: string, stderr: string): void => {
      if (error === null) resolve(stdout.trim().split('\n'))
      else reject(new Error(`${error.message}\n${stdout}\n${stderr}`))
    }
    const child = execFile(PYTHON, [CLIENT, String(port), hash], { timeout: 170_000 }, done)
    onTestFinished(() => void child.kill())
  })
}

async function start() {
  const server = await startForeign()
  onTestFinished(server.close)
  return server
}

// Where CI says that everything is installed, a missing one is a failure.
describe.skipIf(missing.length > 0 && process.env.CI !== 'true')('a client written from PROTOCOL.md', () => {
  const expectDone = (lines: readonly string[]): void => {
    expect(lines.filter((line) => !line.startsWith('ok '))).toEqual([`done ${lines.length - 1}`])
    expect(lines.length).toBeGreaterThan(CHECKS)
  }

  it('is served', { timeout: 180_000 }, async () => {
    const { port, hash } = await start()
    expectDone(await drive(port, hash))
  })

  it('is served through nginx', { timeout: 180_000 }, async () => {
    const { port, hash } = await start()
    const nginx = await startNginx([port, port])
    onTestFinished(() => nginx.stop())
    expectDone(await drive(nginx.port, hash))
  })
})
