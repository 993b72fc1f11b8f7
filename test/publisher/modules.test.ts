import { readFileSync } from 'node:fs'
import { isBuiltin } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'
import { describe, expect, it } from 'vitest'

const entry = fileURLToPath(new URL('../../plugins/publisher/index.ts', import.meta.url))

/** What a module loads when it runs: imports of types are gone by then. */
function loads(path: string): string[] {
  const text = readFileSync(path, 'utf8').replace(/^(import|export) type [\s\S]*? from '[^']+'$/gm, '')
  return ts.preProcessFile(text, true, true).importedFiles.map(({ fileName }) => fileName)
}

/** Every package that is reached, with the module that wants it. */
function packages(from: string): Map<string, string> {
  const found = new Map<string, string>()
  const seen = new Set<string>()
  const waiting = [from]
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    if (seen.has(path)) continue
    seen.add(path)
    for (const name of loads(path)) {
      if (name.startsWith('.')) waiting.push(join(dirname(path), name).replace(/\.js$/, '.ts'))
      else if (!isBuiltin(name)) found.set(name, path)
    }
  }
  return found
}

describe('ackord/publisher', () => {
  it('loads what compiles schemas, msgpackr where it is there, and no Fastify, no ws', () => {
    expect([...packages(entry).keys()].sort()).toEqual([
      '@sinclair/typebox',
      '@sinclair/typebox/compiler',
      'fast-json-stringify',
      'msgpackr/pack',
    ])
  })

  it('is looked at by what would see them', () => {
    const names = [...packages(join(dirname(entry), '..', 'gateway', 'index.ts')).keys()]
    expect(names).toEqual(expect.arrayContaining(['fastify-plugin', 'ws']))
  })
})
