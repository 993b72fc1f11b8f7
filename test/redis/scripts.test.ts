import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { script } from '../../plugins/redis/index.js'

const folder = new URL('../../plugins/redis/lua/', import.meta.url)
const read = (name: string): string => readFileSync(new URL(`${name}.lua`, folder), 'utf8')
const names = readdirSync(folder).map((file) => file.replace(/\.lua$/, ''))
const included = new Set(
  names.flatMap((name) => [...read(name).matchAll(/^-- include ([\w-]+)$/gm)].map(([, other]) => other)),
)
const header = (name: string): string => /^(#!.*\n)?(--.*\n)+/.exec(read(name))?.[0] ?? ''

describe('the scripts', () => {
  it('say at their top what they do, their keys and arguments, the reply and the bounds', () => {
    expect(names.length).toBeGreaterThan(1)
    for (const name of names.filter((each) => !included.has(each)))
      for (const word of [/KEYS/, /reply/i, /bounds|most/i, ...(/ARGV/.test(read(name)) ? [/ARGV/] : [])])
        expect([name, header(name)]).toEqual([name, expect.stringMatching(word)])
  })

  it('are loaded with what they include, each once', () => {
    for (const name of names) {
      expect(script(name).source).not.toMatch(/^-- include/m)
      expect(script(name)).toBe(script(name))
    }
    expect(() => script('nothing')).toThrow('nothing.lua')
  })
})
