import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { ACKORD_ERROR_CODES } from '../../plugins/index.js'

const documented = (file: string, row: RegExp): string[] =>
  [...readFileSync(new URL(`../../docs/${file}`, import.meta.url), 'utf8').matchAll(row)].map(
    ([, name]) => name ?? '',
  )

describe('the docs', () => {
  it('list every error code, and none that is not there', () => {
    expect(documented('errors.md', /^\| `(ACKORD_\w+)` \|/gm)).toEqual([...ACKORD_ERROR_CODES].sort())
  })

  it('list every hook, and none that is not there', () => {
    const source = readFileSync(new URL('../../plugins/gateway/hooks.ts', import.meta.url), 'utf8')
    const declared = [...source.matchAll(/^ {4}(on\w+): \[\],/gm)].map(([, name]) => name)
    expect(declared.length).toBeGreaterThan(5)
    expect(documented('hooks.md', /^\| `(on\w+)\(/gm)).toEqual(declared)
  })
})
