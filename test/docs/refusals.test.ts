import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'

const root = fileURLToPath(new URL('../..', import.meta.url))
const read = (file: string): string => readFileSync(`${root}/${file}`, 'utf8')

describe('PROTOCOL.md', () => {
  it('lists what an upgrade is refused with, and nothing else', () => {
    const written = [...read('PROTOCOL.md').matchAll(/^\| (\d{3}) \| (`[A-Z].*?) \|/gm)].flatMap(
      ([, status, codes = '']) => [...codes.matchAll(/`(\w+)`/g)].map(([, code]) => `${status} ${code}`),
    )
    const sources = readdirSync(`${root}/plugins`, { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts'))
      .map((name) => read(`plugins/${name}`))
      .join('\n')
    const made = [...sources.matchAll(/[Rr]efus(?:al|e)\(\s*(\d{3}),\s*'(\w+)'/g)].map(
      ([, status, code]) => `${status} ${code}`,
    )
    // By what a hook of the app throws, a code comes from its status.
    const byStatus = [...sources.matchAll(/^ {2}(\d{3}): '([A-Z_]+)',$/gm)].map(
      ([, status, code]) => `${status} ${code}`,
    )
    expect(written.length).toBeGreaterThan(10)
    expect(written).toEqual([...new Set([...made, ...byStatus])].toSorted())
  })
})
