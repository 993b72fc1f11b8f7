import { describe, expect, it } from 'vitest'
import type { CloseCode } from '../../contract/wire/close-codes.js'
import { CLOSE } from '../../contract/wire/close-codes.js'
import {
  clientFrameDecoder,
  jsonCodec,
  MAX_DEPTH,
  refuseUnsafe,
  serverFrameDecoder,
  Violation,
} from '../../contract/wire/codec.js'
import { FRAMES, IGNORED_TYPES, MAX_TEXT, MAX_TOKEN } from '../../contract/wire/frames.js'
import { goldenFrom } from './golden.js'

const decode = clientFrameDecoder(jsonCodec)
const decodeServer = serverFrameDecoder(jsonCodec)

/** The code a message closes with, `undefined` where it closes nothing. */
function closes(
  data: string | Uint8Array,
  read: (data: string | Uint8Array) => unknown = decode,
): CloseCode | undefined {
  try {
    read(data)
  } catch (error) {
    if (error instanceof Violation) return error.close
    throw error
  }
  return undefined
}

/** A CALL whose input is this text. */
const call = (input: string): string => `[2,1,"a",${input}]`
const nested = (depth: number, inner = ''): string => '['.repeat(depth) + inner + ']'.repeat(depth)

describe('a message', () => {
  it.each([
    '',
    ' ',
    '[',
    '[1',
    '{}',
    'null',
    '1',
    '"a"',
    '[]',
    '[null]',
    '["1"]',
    '[[2]]',
    'undefined',
    '[2,]',
    '\ufeff[10]',
    '[10] [10]',
    "['a']",
  ])('%j is malformed', (text) => {
    expect(closes(text)).toBe(CLOSE.MALFORMED)
  })

  it('is text: bytes are of the wrong kind, whatever they hold', () => {
    expect(closes(new TextEncoder().encode('[10]'))).toBe(CLOSE.UNSUPPORTED_DATA)
    const binary = {
      ...jsonCodec,
      binary: true,
      parse: (data: string | Uint8Array) => JSON.parse(String(data)) as unknown,
    }
    expect(closes('[10]', clientFrameDecoder(binary))).toBe(CLOSE.UNSUPPORTED_DATA)
  })

  it('says nothing of its content when it is refused', () => {
    expect(() => decode('[2,1,"my secret"')).toThrow(/^malformed frame$/)
  })

  it('may have space around and in it', () => {
    expect(decode(' [ 10 ]\n')).toEqual([10])
  })
})

describe('the number of a frame', () => {
  it.each([-1, 0.5, 1e300, 2 ** 53, '1e400', 'null', '"2"', 'true', '{}', '[2]'])(
    '%s is malformed',
    (type) => {
      expect(closes(`[${type},1]`)).toBe(CLOSE.MALFORMED)
    },
  )

  it.each([0, 11, 16, 30, IGNORED_TYPES.from - 1, IGNORED_TYPES.to + 1, 2 ** 53 - 1])(
    '%i is unknown',
    (type) => {
      expect(closes(`[${type}]`)).toBe(CLOSE.UNKNOWN_FRAME)
      expect(closes(`[${type}]`, decodeServer)).toBe(CLOSE.UNKNOWN_FRAME)
    },
  )

  it.each([IGNORED_TYPES.from, 80, IGNORED_TYPES.to])('%i is ignored, whatever it carries', (type) => {
    expect(decode(`[${type},{"new":true}]`)).toBeUndefined()
    expect(decodeServer(`[${type}]`)).toBeUndefined()
  })

  it('is of one side: what a server sends, a client may not', () => {
    for (const { text } of goldenFrom('server')) expect(closes(text)).toBe(CLOSE.UNKNOWN_FRAME)
    for (const { text } of goldenFrom('client')) expect(closes(text, decodeServer)).toBe(CLOSE.UNKNOWN_FRAME)
  })

  it('-0 and 1.0 are numbers like others', () => {
    expect(closes('[-0]')).toBe(CLOSE.UNKNOWN_FRAME)
    expect(decode('[10.0]')).toEqual([10])
  })
})

describe('an element', () => {
  it.each(['0', '-0', '-1', '1.5', '9007199254740992', '1e999', 'null', '"1"', '[1]', 'true'])(
    'seq %s is malformed',
    (seq) => {
      expect(closes(`[3,${seq}]`)).toBe(CLOSE.MALFORMED)
      expect(closes(`[2,${seq},"a",null]`)).toBe(CLOSE.MALFORMED)
    },
  )

  it.each(['1', '9007199254740991', '1.0', '1e3'])('seq %s is fine', (seq) => {
    expect(decode(`[3,${seq}]`)).toEqual([3, Number(seq)])
  })

  it('that is declared must be there', () => {
    for (const side of ['client', 'server'] as const) {
      for (const { name, frame } of goldenFrom(side)) {
        const required = FRAMES[name].fields.filter((field) => !field(undefined)).length
        for (let length = 1; length <= required; length++) {
          const text = JSON.stringify(frame.slice(0, length))
          expect([text, closes(text, side === 'client' ? decode : decodeServer)]).toEqual([
            text,
            CLOSE.MALFORMED,
          ])
        }
      }
    }
  })

  it('of another kind is malformed, in every place of every frame', () => {
    for (const side of ['client', 'server'] as const) {
      const read = side === 'client' ? decode : decodeServer
      for (const { name, frame } of goldenFrom(side)) {
        FRAMES[name].fields.forEach((field, i) => {
          for (const wrong of [-1, 'x'.repeat(MAX_TOKEN + 1), true, [[]], { a: 1 }, 1.5]) {
            const before = FRAMES[name].fields.slice(0, i).map((_, place) => frame[place + 1] ?? null)
            const text = JSON.stringify([frame[0], ...before, wrong, ...frame.slice(i + 2)])
            expect([text, closes(text, read)]).toEqual([text, field(wrong) ? undefined : CLOSE.MALFORMED])
          }
        })
      }
    }
  })

  it('beyond the declared ones is ignored', () => {
    for (const { name, frame } of goldenFrom('client')) {
      const full = FRAMES[name].fields.map((_, i) => frame[i + 1] ?? null)
      const text = JSON.stringify([frame[0], ...full, 'more', { a: 1 }])
      expect([text, closes(text)]).toEqual([text, undefined])
    }
  })

  it('that names something is bounded, and so is a token', () => {
    const named = (length: number) => `[2,1,${JSON.stringify('x'.repeat(length))},null]`
    expect([closes(named(MAX_TEXT)), closes(named(MAX_TEXT + 1))]).toEqual([undefined, CLOSE.MALFORMED])
    const token = (length: number) => `[9,"${'x'.repeat(length)}"]`
    expect([closes(token(MAX_TOKEN)), closes(token(MAX_TOKEN + 1))]).toEqual([undefined, CLOSE.MALFORMED])
    const features = (count: number) => JSON.stringify([1, 's', 'h', 'v', Array(count).fill('f')])
    expect([closes(features(64)), closes(features(65))]).toEqual([undefined, CLOSE.MALFORMED])
  })

  it.each([
    ['[6,1,"a",[]]', 'params that are a list'],
    ['[6,1,"a",null]', 'params that are null'],
    ['[6,1,"a",{},["e",1]]', 'a position that is too short'],
    ['[6,1,"a",{},["e",-1,0]]', 'an offset below 0'],
    ['[6,1,"a",{},["e",1,0.5]]', 'a tag that is no integer'],
    ['[6,1,"a",{},[1,1,1]]', 'an epoch that is no text'],
    ['[6,1,"a",{},{"0":"e","1":1,"2":1}]', 'a position that is an object'],
    ['[2,1,"a",1,null,["p",1,0]]', 'an operation that is too short'],
    ['[2,1,"a",1,null,["p",1,0,1]]', 'a maybeSent that is no boolean'],
    ['[1,"s","h","v",["a",1]]', 'a feature that is no text'],
  ])('%s is malformed: %s', (text) => {
    expect(closes(text)).toBe(CLOSE.MALFORMED)
  })

  it('a position and an operation may grow', () => {
    expect(closes('[6,1,"a",{},["e",1,1,"more"]]')).toBeUndefined()
    expect(closes('[2,1,"a",1,null,["p",1,0,false,{}]]')).toBeUndefined()
  })
})

describe('an input that would change a prototype', () => {
  it.each([
    ['{"__proto__":1}'],
    ['{"a":[{"__proto__":{"x":1}}]}'],
    ['{"\\u005f\\u005fproto\\u005f\\u005f":1}'],
    ['{"\\u005F_proto__":1}'],
    ['{"__proto\\u005f_":null}'],
    ['{"constructor":{"prototype":{"x":1}}}'],
    ['{"constructor":{"prototype":null}}'],
    ['{"\\u0063onstructor":{"prototyp\\u0065":1}}'],
    ['[{"a":1},{"b":{"constructor":{"a":1,"prototype":1}}}]'],
  ])('%s is unsafe', (input) => {
    expect(closes(call(input))).toBe(CLOSE.UNSAFE)
    expect(closes(`[18,1,${input}]`, decodeServer)).toBe(CLOSE.UNSAFE)
  })

  it('is unsafe anywhere in a frame, also in what would be ignored', () => {
    expect(closes('[10,{"__proto__":1}]')).toBe(CLOSE.UNSAFE)
    expect(closes(`[${IGNORED_TYPES.from},{"__proto__":1}]`)).toBe(CLOSE.UNSAFE)
    expect(closes('{"__proto__":1}')).toBe(CLOSE.UNSAFE)
  })

  it.each([
    ['{"constructor":1}'],
    ['{"constructor":{"name":"Ferrari"}}'],
    ['{"prototype":{"a":1}}'],
    ['{"constructor":[{"prototype":1}]}'],
    ['"__proto__"'],
    ['["__proto__","constructor","prototype"]'],
    ['{"a":"\\u0000"}'],
    ['{"proto":1,"_proto__":1}'],
  ])('%s is not', (input) => {
    expect(decode(call(input))).toEqual([2, 1, 'a', JSON.parse(input)])
  })
})

describe('depth', () => {
  it(`counts from the frame's array, up to ${MAX_DEPTH}`, () => {
    expect(closes(call(nested(MAX_DEPTH - 1)))).toBeUndefined()
    expect(closes(call(nested(MAX_DEPTH)))).toBe(CLOSE.UNSAFE)
    const objects = (depth: number): string => '{"a":'.repeat(depth) + 1 + '}'.repeat(depth)
    expect(closes(call(objects(MAX_DEPTH - 1)))).toBeUndefined()
    expect(closes(call(objects(MAX_DEPTH)))).toBe(CLOSE.UNSAFE)
  })

  it('is refused however short the text, and however deep without a stack overflow', () => {
    expect(closes(nested(MAX_DEPTH))).toBe(CLOSE.MALFORMED)
    expect(closes(nested(MAX_DEPTH + 1))).toBe(CLOSE.UNSAFE)
    expect([CLOSE.UNSAFE, CLOSE.MALFORMED]).toContain(closes(call(nested(200_000))))
  })

  it('of a wide frame is no depth', () => {
    expect(closes(call(`[${'[],'.repeat(10_000)}0]`))).toBeUndefined()
  })

  it('does not look into bytes, however many', () => {
    let looked = 0
    const bytes = new Proxy(new Uint8Array(3), {
      ownKeys(target) {
        looked++
        return Reflect.ownKeys(target)
      },
    })
    refuseUnsafe([{ prototype: 0, bytes }], MAX_DEPTH)
    expect(looked).toBe(0)
    expect(() => refuseUnsafe([new Uint8Array(3)], 1)).not.toThrow()
  })

  it('of a value alone is counted the same', () => {
    expect(() => refuseUnsafe(JSON.parse(nested(3)), 3)).not.toThrow()
    expect(() => refuseUnsafe(JSON.parse(nested(4)), 3)).toThrow(RangeError)
    expect(() => refuseUnsafe('text', 0)).not.toThrow()
  })
})

describe('a number in a value', () => {
  it('is what JSON.parse makes of it: Infinity is for the schema to refuse', () => {
    expect(decode(call('[1e400,-0,0.1,9007199254740993]'))).toEqual([
      2,
      1,
      'a',
      [Infinity, -0, 0.1, 9007199254740992],
    ])
  })
})
