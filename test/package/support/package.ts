/** The package as it would be published, made from the present sources. */
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { cp, mkdir, mkdtemp, readdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { cached, repository } from './cached.js'
import { type Outcome, run, succeed } from './run.js'

const sources = ['contract', 'client', 'codegen', 'plugins']
const texts = ['package.json', 'PROTOCOL.md', 'README.md', 'CHANGELOG.md', 'LICENSE']
const configurations = ['tsconfig.json', 'tsconfig.build.json']

/** The package unpacked: package.json, dist and texts. Built once for a state of the sources. */
export async function builtPackage(): Promise<string> {
  return cached(
    'inside',
    'built',
    await hashOf([...sources, ...texts, ...configurations]),
    async (directory) => {
      const tsc = join(repository, 'node_modules', 'typescript', 'bin', 'tsc')
      await succeed(
        process.execPath,
        [tsc, '-p', 'tsconfig.build.json', '--outDir', join(directory, 'dist')],
        repository,
      )
      const scripts = join('plugins', 'redis', 'lua')
      await cp(join(repository, scripts), join(directory, 'dist', scripts), { recursive: true })
      for (const text of texts.filter((name) => existsSync(join(repository, name)))) {
        await cp(join(repository, text), join(directory, text))
      }
    },
  )
}

/** Path of the tarball that `npm publish` would upload. */
export async function tarball(): Promise<string> {
  const built = await builtPackage()
  const directory = await cached('inside', 'tarball', await hashOf([built]), async (draft) => {
    const args = ['pack', '--ignore-scripts', '--json', '--pack-destination', draft]
    await succeed('npm', args, built)
    const [packed = ''] = await readdir(draft)
    await rename(join(draft, packed), join(draft, 'ackord.tgz'))
  })
  return join(directory, 'ackord.tgz')
}

/** What a project installs beside ackord: `none` is a page that only has the client, `server` everything optional. */
export type Companions = 'none' | 'server'

const serverPackages = [
  ...['@fastify/jwt', '@fastify/websocket', '@sinclair/typebox', '@types/node', '@types/react', '@types/ws'],
  ...['fast-json-stringify', 'fastify', 'fastify-plugin', 'msgpackr', 'react', 'ws'],
]

/** A directory of a user: ECMAScript modules, ackord installed from its tarball. */
export interface Project {
  readonly directory: string
  /** Writes files by name; folders are made. */
  write(files: Readonly<Record<string, string>>): Promise<void>
  /** Runs a program in it, such as `node` or `npx`. */
  run(program: string, args: readonly string[]): Promise<Outcome>
  remove(): Promise<void>
}

/**
 * An empty project with the tarball installed by npm, companions in the versions of our package-lock.json. npm runs once for a
 * state of the sources; each call makes a fresh directory beside that installation. Remove it when done.
 */
export async function emptyProject(companions: Companions): Promise<Project> {
  const installed = await installation(companions)
  await mkdir(join(installed, 'projects'), { recursive: true })
  const directory = await mkdtemp(join(installed, 'projects', 'project-'))
  await symlink(join(installed, 'node_modules'), join(directory, 'node_modules'), 'junction')
  const write = async (files: Readonly<Record<string, string>>): Promise<void> => {
    for (const [name, text] of Object.entries(files)) {
      await mkdir(join(directory, name, '..'), { recursive: true })
      await writeFile(join(directory, name), text)
    }
  }
  await write({ 'package.json': JSON.stringify({ name: 'project', private: true, type: 'module' }) })
  return {
    directory,
    write,
    run: (program, args) => run(program, args, directory),
    remove: () => rm(directory, { recursive: true, force: true }),
  }
}

async function installation(companions: Companions): Promise<string> {
  const packed = await tarball()
  const lock: { packages: Record<string, { version: string }> } = JSON.parse(
    await readFile(join(repository, 'package-lock.json'), 'utf8'),
  )
  const versions = Object.fromEntries(
    (companions === 'server' ? serverPackages : []).map((name) => {
      const version = lock.packages[`node_modules/${name}`]?.version
      if (version === undefined) throw new Error(`package-lock.json has no ${name}`)
      return [name, version]
    }),
  )
  const key = createHash('sha256')
    .update(await readFile(packed))
    .update(JSON.stringify(versions))
  return cached('outside', `install-${companions}`, key.digest('hex').slice(0, 16), async (directory) => {
    await cp(packed, join(directory, 'ackord.tgz'))
    const dependencies = { ackord: 'file:./ackord.tgz', ...versions }
    await writeFile(join(directory, 'package.json'), JSON.stringify({ private: true, dependencies }))
    const args = [
      'install',
      '--prefer-offline',
      '--ignore-scripts',
      '--no-audit',
      '--no-fund',
      '--loglevel=error',
    ]
    await succeed('npm', args, directory)
  })
}

async function hashOf(paths: readonly string[]): Promise<string> {
  const hash = createHash('sha256')
  for (const path of paths) {
    const from = path.startsWith('/') ? path : join(repository, path)
    if (!existsSync(from)) continue
    for (const file of await filesIn(from)) {
      hash
        .update(`${file.slice(from.length)}\0`)
        .update(await readFile(file))
        .update('\0')
    }
  }
  return hash.digest('hex').slice(0, 16)
}

/** The files below a path, or the path itself if it is one; in a fixed order. */
export async function filesIn(path: string): Promise<string[]> {
  const entries = await readdir(path, { recursive: true, withFileTypes: true }).catch(() => undefined)
  if (entries === undefined) return [path]
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort()
}
