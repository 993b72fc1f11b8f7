/** Finds the contract in a file: TypeScript or JavaScript by jiti, or JSON. */
import { readFile, stat } from 'node:fs/promises'
import { extname, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createJiti } from 'jiti'
import type { Contract } from '../contract/contract.js'
import { contractFromJson } from '../contract/json.js'
import { CliError } from './errors.js'

/** Where to look. */
export interface LoadOptions {
  /** What `file` is relative to. */
  readonly cwd: string
  /** The export to take. Default: `default`, then `contract`, then the only one that is a contract. */
  readonly name?: string
}

/**
 * Loads a contract. A TypeScript or JavaScript file is run, with TypeBox and `ackord/contract` as its project installed
 * them (packages are imported by Node itself, so there is one instance of each); a `.json` file is only read.
 * Throws a CliError that names the place and what to do.
 */
export async function loadContract(file: string, { cwd, name }: LoadOptions): Promise<Contract> {
  const path = resolve(cwd, file)
  const found = await stat(path).catch(() => undefined)
  if (!found?.isFile()) throw new CliError(`${file} ${found ? 'is not a file' : 'does not exist'}`)
  try {
    if (extname(path) === '.json') return contractFromJson(JSON.parse(await readFile(path, 'utf8')))
    // No cache on disk: nothing is written but what was asked for.
    const jiti = createJiti(path, {
      fsCache: false,
      moduleCache: false,
      interopDefault: false,
      tsconfigPaths: true,
    })
    return choose(await jiti.import<Readonly<Record<string, unknown>>>(path), file, name)
  } catch (error) {
    throw error instanceof CliError ? error : new CliError(explain(error, file, cwd))
  }
}

type Exports = Readonly<Record<string, unknown>>

function choose(exported: Exports, file: string, wanted: string | undefined): Contract {
  const contracts = Object.entries(exported).filter((entry): entry is [string, Contract] =>
    isContract(entry[1]),
  )
  const found = (name: string): Contract | undefined => contracts.find(([each]) => each === name)?.[1]
  const [first, ...others] = contracts
  const chosen =
    wanted !== undefined
      ? found(wanted)
      : (found('default') ?? found('contract') ?? (others.length === 0 ? first?.[1] : undefined))
  if (chosen !== undefined) return chosen

  const name = wanted ?? ['default', 'contract'].find((usual) => usual in exported)
  if (first !== undefined && wanted === undefined) {
    const names = contracts.map(([each]) => each)
    throw new CliError(
      `${file} exports several contracts (${names.join(', ')}): choose with --export ${first[0]}`,
    )
  }
  if (name === undefined) {
    throw new CliError(`${file} exports no contract: add \`export default defineContract({ … })\``)
  }
  throw new CliError(
    name in exported
      ? `${file}: its export '${name}' is no contract: export what defineContract returns`
      : `${file} has no export '${name}': it has ${Object.keys(exported).join(', ') || 'none'}`,
  )
}

/** By shape, not by class: the project's copy of ackord may be another than this one. */
function isContract(value: unknown): value is Contract {
  if (typeof value !== 'object' || value === null) return false
  const has = (key: string, test: (text: string) => boolean) => {
    const own: unknown = Object.getOwnPropertyDescriptor(value, key)?.value
    return typeof own === 'string' && test(own)
  }
  return has('name', Boolean) && has('version', Boolean) && has('hash', (hash) => /^[0-9a-f]{16}$/.test(hash))
}

function explain(error: unknown, file: string, cwd: string): string {
  if (!(error instanceof Error)) return `${file} could not be loaded: it threw ${String(error)}`
  if ('code' in error && error.code === 'ACKORD_CONTRACT') return `${file}: ${error.message}`
  // jiti puts the place of a syntax error on a line of its own.
  const syntax = /^ParseError: (.*?)\s*\n\s*(\S.*:\d+:\d+)$/s.exec(error.message)
  if (syntax?.[1] !== undefined && syntax[2] !== undefined) {
    return `${shorten(syntax[2], cwd)}: syntax error: ${syntax[1]}`
  }
  const [message] = error.message.split('\n')
  return `${place(error, cwd) ?? file}: ${error.name}: ${message}`
}

/** The file and line that threw, of those in the stack that are the project's own. */
function place(error: Error, cwd: string): string | undefined {
  const frames =
    error.stack?.matchAll(/(?<=^|[\s(])(?:file:\/\/|[A-Za-z]:\\|\/)[^\n()]*?:\d+(?=:\d+\)?$|$)/gm) ?? []
  const own = [...frames].map(([frame]) => frame).find((frame) => !frame.includes('node_modules'))
  return own === undefined ? undefined : shorten(own, cwd)
}

function shorten(place: string, cwd: string): string {
  const path = place.startsWith('file:') ? fileURLToPath(place) : place
  const short = relative(cwd, path)
  return short.startsWith('..') ? path : short
}
