/** The README's quick start, word for word, in an empty project with the packed package installed. */
import { type ChildProcess, spawn } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { repository } from './support/cached.js'
import { compilers } from './support/compilers.js'
import { emptyProject, type Project } from './support/package.js'
import { node } from './support/run.js'

const MINUTES = 60_000

let project: Project
let files: Record<string, string>

/** The first block of code behind a mention of each file, the port replaced by a free one. */
async function quickStart(): Promise<Record<string, string>> {
  const readme = await readFile(join(repository, 'README.md'), 'utf8')
  const port = await freePort()
  return Object.fromEntries(
    ['contract.ts', 'server.ts', 'client.ts'].map((name) => {
      const [, block] = new RegExp(`\`${name}\`[^\`]*:\\n\\n\`\`\`ts\\n(.*?)\`\`\``, 's').exec(readme) ?? []
      if (block === undefined) throw new Error(`README.md has no block for ${name}`)
      return [name, block.replaceAll('3000', `${port}`)]
    }),
  )
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0))
    })
  })
}

/** Starts the server and resolves when it says that it listens. */
function startServer(): Promise<ChildProcess> {
  const server = spawn(process.execPath, ['node_modules/.bin/jiti', 'server.ts'], {
    cwd: project.directory,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  return new Promise((resolve, reject) => {
    let output = ''
    const read = (chunk: Buffer): void => {
      output += chunk.toString()
      if (output.includes('Server listening')) resolve(server)
    }
    server.stdout.on('data', read)
    server.stderr.on('data', read)
    server.once('exit', (code) => reject(new Error(`the server ended with ${code}:\n${output}`)))
  })
}

beforeAll(async () => {
  project = await emptyProject('server')
  files = await quickStart()
  await project.write(files)
}, 3 * MINUTES)

afterAll(() => project?.remove())

describe('the quick start of the README', () => {
  it('is under 60 lines', () => {
    const lines = Object.values(files).flatMap((text) => text.trim().split('\n'))
    expect(lines.length).toBeLessThan(60)
  })

  it(
    'generates a client, and all of it type-checks',
    async () => {
      const generated = await project.run('npx', [
        'ackord',
        'generate',
        'contract.ts',
        '--out',
        'chat.client.ts',
      ])
      expect(generated).toMatchObject({ code: 0 })
      await project.write({
        'tsconfig.json': JSON.stringify({
          compilerOptions: {
            strict: true,
            noEmit: true,
            target: 'es2022',
            module: 'nodenext',
            skipLibCheck: true,
            types: ['node'],
          },
          include: ['*.ts'],
        }),
      })
      const checked = await node([compilers['TypeScript 6.0'] ?? '', '-p', '.'], project.directory)
      expect(checked.stdout).toBe('')
    },
    MINUTES,
  )

  it(
    'runs: a typed call, an event of a room, a declared error',
    async () => {
      const server = await startServer()
      try {
        const client = await project.run(process.execPath, ['node_modules/.bin/jiti', 'client.ts'])
        expect(client.stderr).toBe('')
        expect(client.stdout.trim().split('\n')).toEqual(['ada: hello', 'closed until 2524608000'])
        expect(client.code).toBe(0)
      } finally {
        server.kill()
      }
    },
    MINUTES,
  )
})
