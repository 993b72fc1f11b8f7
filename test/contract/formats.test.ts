import { FormatRegistry } from '@sinclair/typebox'
import { describe, expect, it } from 'vitest'
import { registerFormats } from '../../contract/schema/formats.js'

registerFormats()

const samples: Readonly<
  Record<string, { readonly good: readonly string[]; readonly bad: readonly string[] }>
> = {
  date: {
    good: ['2026-01-31', '2024-02-29', '2000-02-29', '0000-01-01'],
    bad: [
      '2026-02-29',
      '1900-02-29',
      '2026-13-01',
      '2026-00-01',
      '2026-01-00',
      '2026-1-1',
      '2026-01-01 ',
      '',
    ],
  },
  time: {
    good: ['00:00:00Z', '23:59:60z', '12:30:00.123+01:00', '12:30:00-23:59'],
    bad: ['24:00:00Z', '12:60:00Z', '12:00:61Z', '12:00:00', '12:00:00+1:00', '12:00:00.Z', ''],
  },
  'date-time': {
    good: ['2026-02-28T12:00:00Z', '2026-02-28t12:00:00.5-01:00', '2026-02-28 12:00:00Z'],
    bad: ['2026-02-29T12:00:00Z', '2026-02-28T12:00:00', '2026-02-28', '2026-02-28_12:00:00Z', 'T12:00:00Z'],
  },
  email: {
    good: ['a@b', 'first.last+tag@example.com', `${'a'.repeat(64)}@example.com`],
    bad: [
      'a',
      '@b',
      'a@',
      'a@b@c@',
      '.a@b',
      'a.@b',
      'a..b@c',
      'a b@c',
      `${'a'.repeat(65)}@example.com`,
      'a@-b',
      'a@b\n',
    ],
  },
  uuid: {
    good: ['123e4567-e89b-12d3-a456-426614174000', '123E4567-E89B-12D3-A456-426614174000'],
    bad: [
      '123e4567e89b12d3a456426614174000',
      '123e4567-e89b-12d3-a456-42661417400g',
      '{123e4567-e89b-12d3-a456-426614174000}',
    ],
  },
  uri: {
    good: ['https://example.com/a?b=c#d', 'urn:isbn:0451450523', 'mailto:a@b', 'http://[::1]/%20'],
    bad: ['example.com', '/path', 'http://a b', 'http://%zz', '1http://a', 'http:', 'http://é'],
  },
  hostname: {
    good: ['a', 'example.com', 'a-b.c1', `${'a'.repeat(63)}.com`, '1.2.3.4'],
    bad: ['', '-a', 'a-', 'a..b', 'a.', 'a_b', `${'a'.repeat(64)}.com`, `${'a.'.repeat(127)}aa`],
  },
  ipv4: {
    good: ['0.0.0.0', '255.255.255.255', '1.2.3.4'],
    bad: ['256.0.0.1', '1.2.3', '1.2.3.4.5', '01.2.3.4', '1.2.3.4 ', '1.2.3.a', ''],
  },
  ipv6: {
    good: ['::', '::1', '1::', '1:2:3:4:5:6:7:8', '1::8', '::ffff:1.2.3.4', '1:2:3:4:5:6:1.2.3.4', 'FE80::'],
    bad: [
      '',
      ':',
      ':::',
      '1::2::3',
      '1:2:3:4:5:6:7',
      '1:2:3:4:5:6:7:8:9',
      '1:2:3:4:5:6:7::8',
      '12345::',
      'g::',
      '::1.2.3',
      '1.2.3.4',
      '1.2.3.4::',
      '::1%eth0',
      ':1:2',
    ],
  },
}

describe('formats', () => {
  it.each(Object.entries(samples))('%s tells its texts from others', (name, { good, bad }) => {
    const check = FormatRegistry.Get(name) ?? (() => undefined)
    expect(good.filter((text) => !check(text))).toEqual([])
    expect(bad.filter((text) => check(text))).toEqual([])
  })

  it.each(Object.keys(samples))('%s looks at a long text once', (name) => {
    const check = FormatRegistry.Get(name) ?? (() => undefined)
    for (const part of ['a', 'a.', '1:', '%20', '@', '-', '1.']) {
      const text = part.repeat(200_000)
      expect(typeof check(text)).toBe('boolean')
      expect(typeof check(`http://${text}\n`)).toBe('boolean')
    }
  })

  it('what an application registered before stays', () => {
    const before = FormatRegistry.Get('uuid')
    const mine = (text: string) => text === 'mine'
    FormatRegistry.Set('uuid', mine)
    registerFormats()
    expect(FormatRegistry.Get('uuid')).toBe(mine)
    if (before) FormatRegistry.Set('uuid', before)
  })
})
