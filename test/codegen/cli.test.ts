import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { repository } from '../package/support/cached.js'
import { builtPackage } from '../package/support/package.js'
import { node } from '../package/support/run.js'

// Each run is a process; some tests make several.
vi.setConfig({ testTimeout: 60_000 })

const contract = `
import { call, defineContract, Type } from 'ackord/contract'

export default defineContract({
  name: 'notes',
  version: '1.0.0',
  calls: { add: call({ input: Type.Object({ text: Type.String() }), ack: Type.Integer() }) },
})
`
const usage = /See: ackord( generate)? --help\n$/

let root: string
let cli: string
let directory: string

beforeAll(async () => {
  const built = await builtPackage()
  cli = join(built, 'dist', 'codegen', 'cli.js')
  root = await mkdtemp(join(tmpdir(), 'ackord-cli-'))
  await mkdir(join(root, 'node_modules'))
  await symlink(built, join(root, 'node_modules', 'ackord'), 'junction')
  await symlink(
    join(repository, 'node_modules', '@sinclair'),
    join(root, 'node_modules', '@sinclair'),
    'junction',
  )
  return () => rm(root, { recursive: true, force: true })
}, 240_000)

beforeEach(async () => {
  directory = await mkdtemp(join(root, 'project-'))
  await write('contract.ts', contract)
})

const ackord = (...args: string[]) => node([cli, ...args], directory)
const read = (name: string) => readFile(join(directory, name), 'utf8')
async function write(name: string, text: string): Promise<void> {
  await mkdir(dirname(join(directory, name)), { recursive: true })
  await writeFile(join(directory, name), text)
}

describe('ackord', () => {
  it('says its commands with --help, and without anything', async () => {
    const asked = await ackord('--help')
    expect(asked).toMatchObject({ code: 0, stderr: '' })
    expect(asked.stdout).toMatch(/^Usage: ackord <command>[\s\S]*\n {2}generate +\S/)
    expect(await ackord()).toEqual({ code: 2, stdout: '', stderr: asked.stdout })
  })

  it('says its version', async () => {
    const manifest: { version: string } = JSON.parse(await readFile(join(repository, 'package.json'), 'utf8'))
    expect(await ackord('--version')).toEqual({ code: 0, stdout: `${manifest.version}\n`, stderr: '' })
  })

  it.each([
    [['generat'], "There is no command 'generat'"],
    [['--verbos'], "There is no option '--verbos'"],
    [['generate'], 'Name the contract'],
    [['generate', 'a.ts', 'b.ts'], "One contract at a time: 'b.ts' is too much"],
    [['generate', 'contract.ts', '--check'], '--check needs --out'],
    [['generate', 'contract.ts', '--out'], "Option '-o, --out <value>' argument missing"],
    [['generate', 'contract.ts', '--out='], '--out needs the name of a file'],
    [['generate', 'contract.ts', '--ouut', 'x.ts'], "Unknown option '--ouut'"],
  ])('ends with 2 for the command line %j', async (args, message) => {
    const { code, stdout, stderr } = await ackord(...args)
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toContain(`ackord: ${message}`)
    expect(stderr).toMatch(usage)
  })
})

describe('ackord generate', () => {
  it('says what it does with --help', async () => {
    const { code, stdout } = await ackord('generate', 'contract.ts', '--help')
    expect(code).toBe(0)
    expect(stdout).toMatch(/^Usage: ackord generate <contract> \[--out <file>\]/)
  })

  it('prints the client where no file is named', async () => {
    const { code, stdout, stderr } = await ackord('generate', 'contract.ts')
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toContain('export function createNotes(url: string, options?: ClientOptions): Notes {')
    expect(await readdir(directory)).toEqual(['contract.ts'])
  })

  it('writes the client, makes its folder, and says so', async () => {
    const { stdout: printed } = await ackord('generate', 'contract.ts')
    const first = await ackord('generate', 'contract.ts', '--out', 'src/api/notes.client.ts')
    expect(first).toEqual({
      code: 0,
      stdout: 'src/api/notes.client.ts written: notes 1.0.0, calls 1, events 0, rooms 0\n',
      stderr: '',
    })
    expect(await read('src/api/notes.client.ts')).toBe(printed)
    const second = await ackord('generate', 'contract.ts', '-o', 'src/api/notes.client.ts')
    expect(second).toEqual({ code: 0, stdout: 'src/api/notes.client.ts is up to date\n', stderr: '' })
  })

  it('says what the client of a contract with bytes needs', async () => {
    await write('contract.ts', contract.replace('Type.String()', 'Type.Uint8Array()'))
    expect(await ackord('generate', 'contract.ts', '--out', 'client.ts')).toEqual({
      code: 0,
      stdout:
        'client.ts written: notes 1.0.0, calls 1, events 0, rooms 0\nIt carries bytes, so its client needs msgpackr: npm install msgpackr\n',
      stderr: '',
    })
  })

  it('checks, and writes nothing', async () => {
    const check = () => ackord('generate', 'contract.ts', '--out', 'my client.ts', '--check')
    const advice = "Run: npx ackord generate contract.ts --out 'my client.ts'\n"
    expect(await check()).toEqual({
      code: 1,
      stdout: '',
      stderr: `ackord: my client.ts does not exist. ${advice}`,
    })
    expect(await readdir(directory)).toEqual(['contract.ts'])

    await ackord('generate', 'contract.ts', '--out', 'my client.ts')
    expect(await check()).toEqual({ code: 0, stdout: 'my client.ts is up to date\n', stderr: '' })

    const text = await read('my client.ts')
    await write('my client.ts', text.replaceAll('\n', '\r\n'))
    expect((await check()).code).toBe(0)

    await write('my client.ts', `${text}// edited\n`)
    expect(await check()).toEqual({
      code: 1,
      stdout: '',
      stderr: `ackord: my client.ts is not what contract.ts generates. ${advice}`,
    })
    expect(await read('my client.ts')).toBe(`${text}// edited\n`)
  })

  it('replaces only what it generated itself', async () => {
    const { code, stderr } = await ackord('generate', 'contract.ts', '--out', 'contract.ts')
    expect(code).toBe(1)
    expect(stderr).toBe(
      'ackord: contract.ts exists and was not generated by ackord: delete it, or choose another --out\n',
    )
    expect(await read('contract.ts')).toBe(contract)
  })

  it('says why a file cannot be written', async () => {
    await write('taken/file', '')
    const folder = await ackord('generate', 'contract.ts', '--out', 'taken')
    expect(folder.code).toBe(1)
    expect(folder.stderr).toMatch(/^ackord: taken cannot be read: EISDIR/)
    const below = await ackord('generate', 'contract.ts', '--out', 'contract.ts/client.ts')
    expect(below.code).toBe(1)
    expect(below.stderr).toMatch(/^ackord: contract.ts\/client.ts cannot be (read|written): E/)
  })

  it('reads TypeScript with imports, enums, path aliases and top-level await', async () => {
    await write('tsconfig.json', '{ "compilerOptions": { "paths": { "#parts/*": ["./parts/*"] } } }')
    await write(
      'parts/note.ts',
      "import { Type } from '@sinclair/typebox'\nexport const Note = Type.String()\n",
    )
    await write(
      'rich.ts',
      `import { call, defineContract, Type } from 'ackord/contract'
import { Note } from '#parts/note.js'
import type { Nothing } from './nowhere.js'
enum Kind { Short = 'short' }
await Promise.resolve()
const none: Nothing | undefined = undefined
export default defineContract({ name: 'rich', version: '1', calls: { a: call({ input: Note, ack: Type.Enum(Kind) }) } })
export { none }
`,
    )
    const { code, stdout, stderr } = await ackord('generate', 'rich.ts')
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toContain("export type AAck = 'short'")
  })

  it('reads JavaScript, and TypeScript that says it is a module', async () => {
    for (const name of ['contract.js', 'contract.mjs', 'contract.mts']) {
      await write(name, contract)
      expect(await ackord('generate', name)).toEqual(await ackord('generate', 'contract.ts'))
    }
  })

  it('shares one TypeBox with the contract: a format it registers is known', async () => {
    const registered = contract
      .replace("'ackord/contract'", "'ackord/contract'\nimport { FormatRegistry } from '@sinclair/typebox'")
      .replace(
        'export default',
        "FormatRegistry.Set('shout', (text) => text === text.toUpperCase())\nexport default",
      )
      .replace('Type.String()', "Type.String({ format: 'shout' })")
    await write('format.ts', registered)
    const { code, stdout, stderr } = await ackord('generate', 'format.ts')
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toContain('/** format "shout" */')
  })

  it('reads what contractToJson wrote', async () => {
    await write(
      'to-json.mjs',
      "import { createJiti } from 'jiti'\n".replace(
        'jiti',
        join(repository, 'node_modules/jiti/lib/jiti.mjs'),
      ) +
        "import { contractToJson } from 'ackord/contract'\n" +
        "const { default: contract } = await createJiti(import.meta.url).import('./contract.ts')\n" +
        'console.log(JSON.stringify(contractToJson(contract)))\n',
    )
    const { stdout: json } = await node([join(directory, 'to-json.mjs')], directory)
    await write('contract.json', json)
    expect(await ackord('generate', 'contract.json')).toEqual(await ackord('generate', 'contract.ts'))
  })

  it('leaves when it is done, whatever the contract left open', async () => {
    await write('open.ts', `${contract}\nsetInterval(() => {}, 1000)\n`)
    expect((await ackord('generate', 'open.ts')).code).toBe(0)
  })
})

describe('which export', () => {
  const two =
    contract.replace('export default', 'export const first =') +
    `
export const second = defineContract({ name: 'second', version: '1' })
export const other = 1
`

  it('is the default, then `contract`, then the only contract', async () => {
    const named = contract.replace('export default', 'export const contract =')
    await write(
      'named.ts',
      `${named}\nexport const other = defineContract({ name: 'other', version: '1' })\n`,
    )
    await write(
      'only.ts',
      `${contract.replace('export default', 'export const only =')}\nexport const other = 1\n`,
    )
    const expected = await ackord('generate', 'contract.ts')
    expect(await ackord('generate', 'named.ts')).toEqual(expected)
    expect(await ackord('generate', 'only.ts')).toEqual(expected)
  })

  it('must be chosen among several', async () => {
    await write('two.ts', two)
    const { code, stderr } = await ackord('generate', 'two.ts')
    expect(code).toBe(1)
    expect(stderr).toBe(
      'ackord: two.ts exports several contracts (first, second): choose with --export first\n',
    )
    const chosen = await ackord('generate', 'two.ts', '--export', 'second')
    expect(chosen.stdout).toContain('export function createSecond(')
    const check = await ackord('generate', 'two.ts', '--export', 'second', '--out', 'a.ts', '--check')
    expect(check.stderr).toContain('Run: npx ackord generate two.ts --out a.ts --export second\n')
  })

  it.each([
    ['missing', "two.ts has no export 'missing': it has first, other, second"],
    ['other', "two.ts: its export 'other' is no contract: export what defineContract returns"],
  ])('%s is refused by name', async (name, message) => {
    await write('two.ts', two)
    const { code, stderr } = await ackord('generate', 'two.ts', '--export', name)
    expect({ code, stderr }).toEqual({ code: 1, stderr: `ackord: ${message}\n` })
  })
})

describe('a contract that cannot be loaded', () => {
  it.each<[string, string | undefined, RegExp]>([
    ['gone.ts', undefined, /^ackord: gone\.ts does not exist\n$/],
    ['.', undefined, /^ackord: \. is not a file\n$/],
    [
      'a.ts',
      'export const a: number = 1\nexport default { a: 1,, }\n',
      /^ackord: a\.ts:2:\d+: syntax error: .+\n$/,
    ],
    ['a.mjs', 'export const a = 1\nexport default { a: 1,, }\n', /^ackord: a\.mjs:2.*: .+\n$/],
    ['a.json', '{ "ackord": 1, }', /^ackord: a\.json: SyntaxError: .+JSON.+\n$/],
    [
      'a.json',
      '{ "ackord": 1, "name": "a", "version": "1", "call": {} }',
      /^ackord: a\.json: call: is not known here/,
    ],
    ['a.json', '[]', /^ackord: a\.json: contract: must be an object\n$/],
    ['a.ts', 'export {}\n', /^ackord: a\.ts exports no contract: add `export default defineContract\(/],
    ['a.ts', 'export const a = 1\n', /^ackord: a\.ts exports no contract/],
    [
      'a.ts',
      "export default { name: 'a', version: '1' }\n",
      /^ackord: a\.ts: its export 'default' is no contract: export what defineContract returns\n$/,
    ],
    [
      'a.ts',
      "import { defineContract } from 'ackord/contract'\nexport default defineContract({ name: '', version: '1' })\n",
      /^ackord: a\.ts: name: must not be empty\n$/,
    ],
    ['a.ts', "import './b.js'\n", /^ackord: a\.ts:1: Error: Cannot find module '\.\/b\.js'\n$/],
    ['a.ts', "import 'not-installed'\n", /^ackord: a\.ts:1: Error: Cannot find module 'not-installed'\n$/],
    ['a.ts', '\n\nthrow new RangeError("too\\nmuch")\n', /^ackord: a\.ts:3: RangeError: too\n$/],
    ['a.ts', "throw 'text'\n", /^ackord: a\.ts could not be loaded: it threw text\n$/],
  ])('%s with %j says where and why', async (name, text, message) => {
    if (text !== undefined) await write(name, text)
    const { code, stdout, stderr } = await ackord('generate', name, '--out', 'client.ts')
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(stderr).toMatch(message)
    expect(await readdir(directory)).not.toContain('client.ts')
  })
})
