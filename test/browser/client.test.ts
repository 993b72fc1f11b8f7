import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'

const root = fileURLToPath(new URL('../..', import.meta.url))

it('has a client that is what its contract generates', async () => {
  const args = [
    'generate',
    'examples/chat/contract.ts',
    '--out',
    'examples/chat/page/chat.client.ts',
    '--check',
  ]
  const { stdout } = await promisify(execFile)(process.execPath, ['dist/codegen/cli.js', ...args], {
    cwd: root,
  })
  expect(stdout).toContain('up to date')
}, 30_000)
