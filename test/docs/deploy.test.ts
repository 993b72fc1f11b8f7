import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'

const read = (file: string): string => readFileSync(new URL(`../../${file}`, import.meta.url), 'utf8')

/** The directives of an nginx configuration, without its comments. */
const directives = (text: string): string[] =>
  text
    .split('\n')
    .map((line) => line.replace(/^\s*#.*/, '').trim())
    .filter((line) => line !== '')

it('docs/deploy.md has the nginx of examples/deploy, which is tested, but for its name and that it is sticky', () => {
  const [, block = ''] = /^```nginx\n(.*?)^```/ms.exec(read('docs/deploy.md')) ?? []
  const tested = directives(read('examples/deploy/nginx.conf'))
    .filter((line) => !line.startsWith('hash '))
    .map((line) => line.replace('upstream chat', 'upstream api').replace('http://chat', 'http://api'))
  expect(tested.length).toBeGreaterThan(20)
  expect(directives(block)).toEqual(tested)
})
