import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { APP_LIMITS, type Limit, SETTING_LIMITS } from '../../plugins/gateway/options.js'

const read = (file: string): string => readFileSync(new URL(`../../${file}`, import.meta.url), 'utf8')

/** The rows of options that have bounds: name, default, least, most. */
function rows(text: string): Array<readonly [string, ...number[]]> {
  const number = (digits: string | undefined): number => Number(digits?.replaceAll(',', ''))
  return [...text.matchAll(/^\| `(\w+)` \| ([\d,]+) \| ([\d,]+)–([\d,]+) \| \S/gm)].map(
    ([, name = '', fallback, least, most]) => [name, number(fallback), number(least), number(most)],
  )
}

const declared = (limits: Readonly<Record<string, Limit>>): unknown[] =>
  Object.entries(limits).map(([name, limit]) => [name, ...limit])

describe('docs/limits.md', () => {
  const [, ofNamespace = '', ofApp = ''] = read('docs/limits.md').split(/^\| of (?:a namespace|the app) \|/m)

  it('has each limit of a namespace and of an app, with its default and bounds', () => {
    expect(declared(SETTING_LIMITS).length).toBeGreaterThan(5)
    expect(rows(ofNamespace)).toEqual(declared(SETTING_LIMITS))
    expect(new Set(rows(ofApp))).toEqual(new Set(declared(APP_LIMITS)))
  })

  it('says of each what happens at it', () => {
    const said = read('docs/limits.md').match(/^\| `\w+` \|.*\|$/gm) ?? []
    expect(said).toHaveLength(Object.keys(SETTING_LIMITS).length + Object.keys(APP_LIMITS).length)
    for (const row of said) expect(row.split('|')[4]?.trim()).toMatch(/\w/)
  })
})

describe('README.md', () => {
  it('has each limit among the options, once', () => {
    expect(rows(read('README.md')).sort()).toEqual(
      [...declared(SETTING_LIMITS), ...declared(APP_LIMITS)].sort(),
    )
  })
})
