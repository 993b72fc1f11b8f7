import { describe, expect, it } from 'vitest'
import { comment, indent, literalKey, propertyKey, quote } from '../../codegen/text.js'

const hostile = [
  `it's "quoted" \`back\` \${process.exit(1)} \\ \\' \\" \\n`,
  'line\nbreak\r\nand\u2028and\u2029',
  '*/ alert(1) /*',
  '</script><!--<script>',
  'bidi \u202e reversed \u2066 isolate, bell \u0007, zero width \u200b, BOM \ufeff, tag \u{e0041}',
  'half \ud800 a pair \udc00',
  '',
  '__proto__',
]

describe('quote', () => {
  it.each(hostile)('makes a literal equal to its value: %j', (value) => {
    expect(new Function(`return ${quote(value)}`)()).toBe(value)
  })

  it.each(hostile)('holds nothing that ends a line, hides text or opens a script: %j', (value) => {
    expect(quote(value)).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]|<\/script|<!--/u)
  })
})

describe('comment', () => {
  it.each(hostile)('cannot be left: %j', (value) => {
    expect(new Function(`${comment([value, value])}return 1`)()).toBe(1)
    expect(comment([value]).trimEnd().slice(0, -2)).not.toContain('*/')
    expect(comment([value])).not.toMatch(/[^\n\P{Cc}]|[\p{Cf}\p{Zl}\p{Zp}\p{Cs}]|<\/script|<!--/u)
  })

  it('is one line for one line', () => {
    expect(comment(['Says it.'])).toBe('/** Says it. */\n')
  })

  it('breaks where its text does, and drops empty lines around it', () => {
    expect(comment(['', 'One.\n\nTwo.\u2028Three.', ''])).toBe('/**\n * One.\n *\n * Two.\n * Three.\n */\n')
  })

  it('is nothing for nothing', () => {
    expect(comment([])).toBe('')
    expect(comment(['', '\n'])).toBe('')
  })

  it('does not direct the compiler', () => {
    expect(comment(['@ts-expect-error @ts-ignore @deprecated'])).toBe(
      '/** ts-expect-error ts-ignore @deprecated */\n',
    )
    expect(comment(['@@ts-ignore', '@@@ts-nocheck', '@ @ts-ignore'])).not.toMatch(/@ts-/)
  })

  it('shows invisible characters', () => {
    expect(comment(['a\u202eb'])).toBe('/** a\\u202eb */\n')
  })
})

describe('keys', () => {
  it('are bare where they are ASCII identifiers', () => {
    expect(['send', 'class', '$a_1', '__proto__'].map(propertyKey)).toEqual([
      'send',
      'class',
      '$a_1',
      '__proto__',
    ])
    expect(['a-b', '1a', 'é', '', 'a b', "'"].map(propertyKey)).toEqual([
      "'a-b'",
      "'1a'",
      "'é'",
      "''",
      "'a b'",
      "'\\''",
    ])
  })

  it('set no prototype in a literal', () => {
    const made: object = new Function(`return { ${literalKey('__proto__')}: { polluted: true } }`)()
    expect(Object.keys(made)).toEqual(['__proto__'])
    expect('polluted' in made).toBe(false)
  })
})

it('indent shifts lines, and leaves empty ones empty', () => {
  expect(indent('a\n\n  b\n')).toBe('  a\n\n    b\n')
})
