import { readFile } from 'node:fs/promises'
import { isBuiltin } from 'node:module'
import { join, posix, relative, sep } from 'node:path'
import ts from 'typescript'
import { beforeAll, describe, expect, it } from 'vitest'
import { repository } from './support/cached.js'
import { type Companions, emptyProject, filesIn, tarball } from './support/package.js'
import { node } from './support/run.js'

/** Text by path inside the package, `/` between folders. */
const packed = new Map<string, string>()

beforeAll(async () => {
  const companions: Companions = 'none'
  const project = await emptyProject(companions)
  const root = join(project.directory, 'node_modules', 'ackord')
  for (const file of await filesIn(root)) {
    packed.set(relative(root, file).split(sep).join('/'), await readFile(file, 'utf8'))
  }
  await project.remove()
}, 240_000)

/** What a module imports, as written. */
function importsOf(path: string): string[] {
  const text = packed.get(path)
  if (text === undefined) throw new Error(`${path} is not in the package`)
  return ts.preProcessFile(text, true, true).importedFiles.map(({ fileName }) => fileName)
}

const isRelative = (specifier: string): boolean => /^\.\.?\//.test(specifier)

/** Every module that is reached from one, itself included, by its path without ending; bare specifiers as written. */
function reached(from: string, ending: '.js' | '.d.ts'): string[] {
  const found = new Set<string>()
  const waiting = [from]
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    if (found.has(next)) continue
    found.add(next)
    if (!next.startsWith('dist/')) continue
    const folder = posix.dirname(next)
    waiting.push(
      ...importsOf(`${next}${ending}`).map((specifier) =>
        isRelative(specifier) ? posix.join(folder, specifier).replace(/\.js$/, '') : specifier,
      ),
    )
  }
  return [...found].sort()
}

describe('the package', () => {
  it('is clean for publint', async () => {
    const cli = join(repository, 'node_modules', 'publint', 'src', 'cli.js')
    const { code, stdout, stderr } = await node([cli, 'run', await tarball(), '--strict'], repository)
    expect({ code, printed: `${stdout}${stderr}` }).toEqual({
      code: 0,
      printed: expect.stringContaining('All good!'),
    })
  }, 60_000)

  it('holds the scripts that are sent to Redis', async () => {
    const folder = join(repository, 'plugins', 'redis', 'lua')
    const scripts = await filesIn(folder)
    expect(scripts.length).toBeGreaterThan(1)
    for (const file of scripts)
      expect(packed.get(`dist/plugins/redis/lua/${relative(folder, file)}`)).toBe(
        await readFile(file, 'utf8'),
      )
  })

  it('is clean for attw', async () => {
    const cli = join(repository, 'node_modules', '@arethetypeswrong', 'cli', 'dist', 'index.js')
    const options = [
      '--profile',
      'esm-only',
      '--no-definitely-typed',
      '--format',
      'ascii',
      '--no-color',
      '--no-emoji',
    ]
    const { code, stdout, stderr } = await node([cli, await tarball(), ...options], repository)
    // It prints what the profile ignores even where nothing is wrong.
    expect({ code, problems: code === 0 ? '' : `${stdout}${stderr}` }).toEqual({ code: 0, problems: '' })
  }, 60_000)

  it('holds built modules with their types, and texts: no source, test or example', () => {
    const texts = ['CHANGELOG.md', 'LICENSE', 'PROTOCOL.md', 'README.md', 'package.json']
    const others = [...packed.keys()].filter((path) => !texts.includes(path))
    const modules = others.filter((path) => path.endsWith('.js'))
    expect(modules.length).toBeGreaterThan(30)
    expect(
      others.filter(
        (path) =>
          !/^dist\/((client|codegen|contract|plugins)\/[\w/-]+\.(js|d\.ts)|plugins\/redis\/lua\/[\w-]+\.lua)$/.test(
            path,
          ),
      ),
    ).toEqual([])
    expect(
      others
        .filter((path) => path.endsWith('.js'))
        .map((path) => path.replace(/js$/, 'd.ts'))
        .sort(),
    ).toEqual(others.filter((path) => path.endsWith('.d.ts')).sort())
    for (const text of ['LICENSE', 'PROTOCOL.md', 'package.json']) expect(packed.has(text)).toBe(true)
  })

  it('has a command that Node can run', () => {
    expect(packed.get('dist/codegen/cli.js')).toMatch(/^#!\/usr\/bin\/env node\n/)
  })

  it('needs nothing but jiti of its own accord', () => {
    const manifest: Readonly<Record<string, object>> = JSON.parse(packed.get('package.json') ?? '{}')
    expect(Object.keys(manifest['dependencies'] ?? {})).toEqual(['jiti'])
    expect(Object.keys(manifest['peerDependenciesMeta'] ?? {})).toEqual(
      Object.keys(manifest['peerDependencies'] ?? {}),
    )
  })
})

describe('the client', () => {
  it.each(['.js', '.d.ts'] as const)('reaches its own folder and the wire, no package (%s)', (ending) => {
    const modules = reached('dist/client/index', ending)
    expect(modules.length).toBeGreaterThan(5)
    expect(
      modules.filter(
        (path) => !/^dist\/(client\/(types\/)?[\w-]+|contract\/(wire\/[\w-]+|clock))$/.test(path),
      ),
    ).toEqual([])
  })
})

describe('the binary codec', () => {
  const own = ['close-codes', 'codec', 'frames', 'msgpack', 'msgpack-inspect', 'plain']

  it('is all that imports msgpackr, and needs no types of it', () => {
    expect(reached('dist/client/msgpack', '.js')).toEqual([
      'dist/client/msgpack',
      ...own.map((name) => `dist/contract/wire/${name}`),
      'msgpackr/pack',
    ])
    expect(reached('dist/client/msgpack', '.d.ts').filter((path) => !path.startsWith('dist/'))).toEqual([])
    for (const entry of ['client', 'client/react', 'client/testing', 'contract', 'contract/wire']) {
      expect(reached(`dist/${entry}/index`, '.js').filter((path) => /msgpack/.test(path))).toEqual([])
    }
  })
})

describe('the publisher', () => {
  it.each(['.js', '.d.ts'] as const)('needs no Fastify and no ws (%s)', (ending) => {
    const modules = reached('dist/plugins/publisher/index', ending)
    expect(modules.length).toBeGreaterThan(10)
    const packages = modules.filter((path) => !path.startsWith('dist/') && !isBuiltin(path))
    expect(
      packages.filter((name) => !/^(@sinclair\/typebox|fast-json-stringify|msgpackr)(\/|$)/.test(name)),
    ).toEqual([])
  })
})

describe('the wire', () => {
  it('imports nothing but itself, in any of its modules', () => {
    const modules = [...packed.keys()].filter((path) => path.startsWith('dist/contract/wire/'))
    expect(modules.length).toBeGreaterThan(8)
    const outside = modules.flatMap((path) => importsOf(path).map((specifier) => `${path}: ${specifier}`))
    // The binary codec is asked for by name, and no other module of the wire imports it.
    expect(outside.filter((line) => !/: \.\/[\w-]+\.js$/.test(line))).toEqual([
      'dist/contract/wire/msgpack.js: msgpackr/pack',
    ])
    expect(outside.filter((line) => line.endsWith('/msgpack.js'))).toEqual([])
  })
})

describe('every module', () => {
  it('imports packages only that package.json names', () => {
    const manifest: Readonly<Record<string, object>> = JSON.parse(packed.get('package.json') ?? '{}')
    const declared = ['dependencies', 'peerDependencies'].flatMap((key) => Object.keys(manifest[key] ?? {}))
    const packages = [...packed.keys()]
      .filter((path) => /\.(js|d\.ts)$/.test(path))
      .flatMap(importsOf)
      .filter((specifier) => !isRelative(specifier) && !isBuiltin(specifier))
      .map((specifier) => /^(@[^/]+\/)?[^/]+/.exec(specifier)?.[0] ?? specifier)
    expect([...new Set(packages)].filter((name) => !declared.includes(name))).toEqual([])
  })
})
