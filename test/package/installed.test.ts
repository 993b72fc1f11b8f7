import { mkdir, mkdtemp, readdir, readFile, realpath, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { contractToJson } from '../../contract/index.js'
import chat from '../codegen/contracts/chat.js'
import { repository } from './support/cached.js'
import { compilers, resolutions, typeCheck } from './support/compilers.js'
import { emptyProject, type Project } from './support/package.js'
import { run } from './support/run.js'

const read = (path: string) => readFile(join(repository, path), 'utf8')

/** Errors in what is ours: the project's files and the package, not other packages. */
const ours = (printed: string): string[] =>
  printed
    .split('\n')
    .filter((line) => /error TS/.test(line) && !/^(\.\.\/)*node_modules\/(?!ackord\/)/.test(line))

describe('a page that has only ackord', () => {
  let project: Project
  beforeAll(async () => {
    project = await emptyProject('none')
    await project.write({
      'chat.client.ts': await read('test/codegen/expected/chat.client.ts'),
      'usage.ts': await read('test/codegen/expected/chat.usage.ts'),
    })
    return () => project.remove()
  }, 240_000)

  it('gets no other package than jiti', async () => {
    const names = await readdir(join(project.directory, 'node_modules'))
    expect(names.filter((name) => !name.startsWith('.')).sort()).toEqual(['ackord', 'jiti'])
  })

  it.each(Object.entries(compilers))(
    'type-checks a generated client and its use with %s',
    async (_, compiler) => {
      const files = ['chat.client.ts', 'usage.ts']
      expect(await typeCheck(compiler, project.directory, files, resolutions.nodenext)).toBe('')
    },
    60_000,
  )

  it('runs the client', async () => {
    const script = "import { createClient } from 'ackord/client'\nconsole.log(typeof createClient)\n"
    await project.write({ 'run.js': script })
    expect(await project.run('node', ['run.js'])).toEqual({ code: 0, stdout: 'function\n', stderr: '' })
  })

  it('is told what to install before it generates', async () => {
    await project.write({ 'contract.json': JSON.stringify(contractToJson(chat)) })
    const { code, stderr } = await project.run('npx', ['--no', 'ackord', 'generate', 'contract.json'])
    expect(code).toBe(1)
    expect(stderr).toContain(
      'ackord: contracts are read with TypeBox. Run: npm install --save-dev @sinclair/typebox\n',
    )
  }, 60_000)
})

describe('a server with all companions', () => {
  const entries = [
    'ackord',
    'ackord/contract',
    'ackord/wire',
    'ackord/client',
    'ackord/client/msgpack',
    'ackord/publisher',
    'ackord/react',
    'ackord/testing',
  ]
  let project: Project
  beforeAll(async () => {
    project = await emptyProject('server')
    return () => project.remove()
  }, 240_000)

  it.each(Object.entries(compilers))(
    'type-checks every entry point with %s',
    async (_, compiler) => {
      const lines = entries.map((entry, n) => `import * as entry${n} from '${entry}'`)
      const text = `${lines.join('\n')}\nexport const all = [${entries.map((_entry, n) => `entry${n}`).join(', ')}]\n`
      await project.write({ 'entries.ts': text })
      const options = { types: ['node'], lib: ['es2023', 'dom'], ...resolutions.nodenext }
      expect(ours(await typeCheck(compiler, project.directory, ['entries.ts'], options))).toEqual([])
    },
    120_000,
  )

  it('runs every entry point', async () => {
    await project.write({
      'run.js': entries
        .map((entry) => `console.log('${entry}', Object.keys(await import('${entry}')).length > 0)\n`)
        .join(''),
    })
    expect(await project.run('node', ['run.js'])).toEqual({
      code: 0,
      stdout: entries.map((entry) => `${entry} true\n`).join(''),
      stderr: '',
    })
  }, 60_000)

  it('generates a client from a contract in TypeScript', async () => {
    const contract = await read('test/codegen/contracts/chat.ts')
    await project.write({ 'contract.ts': contract.replace('../../../contract/index.js', 'ackord/contract') })
    const args = ['--no', 'ackord', 'generate', 'contract.ts', '--out', 'src/chat.client.ts']
    const { code, stdout } = await project.run('npx', args)
    expect({ code, stdout }).toEqual({
      code: 0,
      stdout: 'src/chat.client.ts written: chat 1.0.0, calls 5, events 2, rooms 1\n',
    })
    expect(await readFile(join(project.directory, 'src', 'chat.client.ts'), 'utf8')).toBe(
      await read('test/codegen/expected/chat.client.ts'),
    )
  }, 60_000)
})

describe('msgpackr', () => {
  let project: Project
  beforeAll(async () => {
    project = await emptyProject('server')
    return () => project.remove()
  }, 240_000)

  const serve = (payload: string) => `import Fastify from 'fastify'
import { ackord, namespace } from 'ackord'
import { defineContract, event, Type } from 'ackord/contract'
const contract = defineContract({ name: 'c', version: '1', events: { e: event({ payload: ${payload} }) } })
const app = Fastify()
await app.register(ackord)
await app.register(namespace(contract, { path: '/c', authenticate: 'none' }).plugin({}))
console.log(await app.ready().then(() => app.ackordGateway.gateway.codecs.subprotocols.join(), (error) => error.code))
await app.close()
`

  it('makes no code of what it reads, and reads and writes where a page may not', async () => {
    const script = `import { msgpack } from 'ackord/client/msgpack'
for (let i = 0; i < 9; i++) console.log(JSON.stringify(msgpack.parse(msgpack.encode([2, i, 'a', { b: [i] }]))))
`
    await project.write({ 'run.js': script })
    const { code, stdout, stderr } = await project.run('node', [
      '--disallow-code-generation-from-strings',
      'run.js',
    ])
    expect({ code, stderr, last: stdout.split('\n').at(-2) }).toEqual({
      code: 0,
      stderr: '',
      last: '[2,8,"a",{"b":[8]}]',
    })
  }, 60_000)

  it('is found by a server where it is installed', async () => {
    await project.write({ 'serve.js': serve('Type.Uint8Array()') })
    const { stdout } = await project.run('node', ['serve.js'])
    expect(stdout).toBe('ackord.v1.json,ackord.v1.msgpack\n')
  }, 60_000)

  it('is missed at the start by a contract with bytes, and by no other', async () => {
    // Not below the installation, where it would be found.
    const directory = await mkdtemp(join(tmpdir(), 'ackord-missing-'))
    onTestFinished(() => rm(directory, { recursive: true, force: true }))
    const modules = await realpath(join(project.directory, 'node_modules'))
    await mkdir(join(directory, 'node_modules'))
    for (const name of await readdir(modules)) {
      if (name !== 'msgpackr')
        await symlink(join(modules, name), join(directory, 'node_modules', name), 'junction')
    }
    await writeFile(join(directory, 'package.json'), '{ "type": "module" }')
    const outcomes: string[] = []
    for (const payload of ['Type.Uint8Array()', 'Type.Null()']) {
      await writeFile(join(directory, 'serve.js'), serve(payload))
      const flags = ['--preserve-symlinks', '--preserve-symlinks-main']
      const { stdout, stderr } = await run('node', [...flags, 'serve.js'], directory)
      outcomes.push(stdout + (/ACKORD_\w+/.exec(stderr)?.[0] ?? ''))
    }
    expect(outcomes).toEqual(['ACKORD_MSGPACK_MISSING', 'ackord.v1.json\n'])
  }, 60_000)
})
