import { describe, expect, it } from 'vitest'
import { CLOSE, type CloseCode } from '../../contract/wire/close-codes.js'
import {
  clientFrameDecoder,
  jsonCodec,
  MAX_DEPTH,
  serverFrameDecoder,
  Violation,
} from '../../contract/wire/codec.js'
import type { ClientFrame } from '../../contract/wire/frames.js'
import { msgpackCodec } from '../../contract/wire/msgpack.js'
import { msgpackOf } from '../support/msgpack.js'
import { golden, goldenFrom } from './golden.js'

const decode = clientFrameDecoder(msgpackCodec)
const decodeServer = serverFrameDecoder(msgpackCodec)
const encode = (frame: readonly unknown[]): Uint8Array =>
  msgpackCodec.encode(frame as unknown as ClientFrame) as Uint8Array

const hex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text.replaceAll(' ', ''), 'hex'))

/** The code a message closes with, `undefined` where it closes nothing. */
function closes(data: string | Uint8Array, read: (data: string | Uint8Array) => unknown = decode) {
  try {
    read(data)
  } catch (error) {
    if (error instanceof Violation) return error.close satisfies CloseCode
    throw error
  }
  return undefined
}

/** A CALL whose input is these bytes: `[2, 1, "a", …]`. */
const call = (input: Uint8Array | string): Buffer =>
  Buffer.concat([hex('94 02 01 a1 61'), typeof input === 'string' ? hex(input) : input])
const inputOf = (bytes: Uint8Array): unknown => (decode(bytes) as readonly unknown[])[3]

describe('the golden frames in binary', () => {
  it('are read as what they are', () => {
    for (const row of goldenFrom('client')) expect(decode(msgpackOf(row.frame))).toStrictEqual(row.frame)
    for (const row of goldenFrom('server'))
      expect(decodeServer(msgpackOf(row.frame))).toStrictEqual(row.frame)
  })

  it('are written in their shortest form', () => {
    for (const { name, frame } of golden) {
      expect({ name, bytes: Buffer.from(encode(frame)).toString('hex') }).toEqual({
        name,
        bytes: msgpackOf(frame).toString('hex'),
      })
    }
  })

  it('look like this', () => {
    expect(encode([26])).toEqual(Buffer.from(hex('91 1a')))
    expect(decode(hex('94 02 01 ac 6d6573736167652e73656e64 81 a4 74657874 a2 6869'))).toEqual([
      ...[2, 1, 'message.send', { text: 'hi' }],
    ])
    expect(decode(hex('94 02 cc80 a1 61 c4 03 00ff80'))).toEqual([2, 128, 'a', new Uint8Array([0, 255, 128])])
  })
})

describe('a binary message', () => {
  it('is no text', () => {
    expect(closes('[10]')).toBe(CLOSE.UNSUPPORTED_DATA)
  })

  it.each([
    ['', 'nothing'],
    ['c0', 'null'],
    ['91', 'a frame without its number'],
    ['91 0a 0a', 'something behind the frame'],
    ['91 0a 91 0a', 'two frames'],
    ['81 0a 0a', 'a map'],
    ['94 02 01 a1 61', 'a frame that ends too early'],
    ['94 02 01 a5 61', 'a text that ends too early'],
    ['c1', 'the token that is none'],
    ['dd ffffffff', 'four billion elements that do not come'],
    ['dc ffff 0a', 'elements that do not come'],
  ])('%s is malformed: %s', (bytes) => {
    expect(closes(hex(bytes))).toBe(CLOSE.MALFORMED)
  })

  it.each([
    ['dd ffffffff', 'a list of four billion'],
    ['dd 7fffffff c0', 'a list of two billion'],
    ['df ffffffff', 'a map of four billion'],
    ['df 10000000 a161 c0', 'a map of 268 million'],
    ['db ffffffff', 'a text of 4 GiB'],
    ['c6 ffffffff 00', 'bytes of 4 GiB'],
    ['c5 ffff 00', 'bytes of 64 KiB'],
    ['c4', 'bytes of no length'],
    ['d9', 'a text of no length'],
    ['cb 3ff0', 'half a number'],
    ['cf 000000', 'half an integer'],
    ['d3 000000', 'half a signed integer'],
  ])('%s in it is malformed, and nothing is made of it: %s', (bytes) => {
    const before = process.memoryUsage()
    for (let i = 0; i < 100; i++) expect(closes(call(bytes))).toBe(CLOSE.MALFORMED)
    const { heapUsed, arrayBuffers } = process.memoryUsage()
    expect(heapUsed - before.heapUsed + arrayBuffers - before.arrayBuffers).toBeLessThan(100_000_000)
  })

  it.each([
    ['d4 00 00', 'undefined, as notepack writes it'],
    ['d4 72 40 91 a1 61 01', "a record of msgpackr's, of which it would make code"],
    ['d5 72 40 00 91 a1 61 01', 'a record with two bytes'],
    ['d6 ff 00000000', 'a date'],
    ['d7 ff 0000000000000000', 'a date of 64 bits'],
    ['c7 0c ff 000000000000000000000000', 'a date of 96 bits'],
    ['d4 65 00 92 a5 4572726f72 a1 61', 'an Error'],
    ['d4 73 00 91 01', 'a Set'],
    ['d4 78 00 92 a2 2e2b a0', 'a RegExp'],
    ['d6 69 00000001 91 d6 70 00000001', 'a reference to itself'],
    ['d6 62 00000001 c0', 'bundled texts'],
    ['c7 05 74 01 00000000', 'a typed array'],
    ['c7 09 42 00ffffffffffffffff', 'a BigInt'],
    ['c7 00 01', 'an empty extension'],
    ['c8 0000 01', 'an extension of 16 bits'],
    ['c9 00000000 01', 'an extension of 32 bits'],
    ['d8 01 00000000000000000000000000000000', 'an extension of 16 bytes'],
    ['c1', 'the token that is none'],
  ])('%s in it is malformed: %s', (bytes) => {
    expect(closes(call(bytes))).toBe(CLOSE.MALFORMED)
    expect(closes(call(`91 ${bytes}`))).toBe(CLOSE.MALFORMED)
    expect(closes(call(`81 a1 61 ${bytes}`))).toBe(CLOSE.MALFORMED)
  })

  it.each([
    ['a1 ff', 'no lead byte'],
    ['a1 80', 'a continuation alone'],
    ['a2 c3 28', 'a lead byte without continuation'],
    ['a2 c0 80', 'an overlong NUL'],
    ['a3 ed a0 80', 'half a surrogate pair'],
    ['a4 f4 90 80 80', 'beyond Unicode'],
    [`d9 50 ${'61'.repeat(79)} ff`, 'far behind'],
    ['81 a1 ff c0', 'in a key'],
  ])('%s in it is malformed, for it is no UTF-8: %s', (bytes) => {
    expect(closes(call(bytes))).toBe(CLOSE.MALFORMED)
  })

  it.each([
    ['81 01 c0', 'a number'],
    ['81 c0 c0', 'null'],
    ['81 c4 01 61 c0', 'bytes'],
    ['81 90 c0', 'a list'],
    ['81 80 c0', 'a map'],
  ])('%s in it is malformed, for keys are texts: %s', (bytes) => {
    expect(closes(call(bytes))).toBe(CLOSE.MALFORMED)
  })

  it.each([
    ['cf 001fffffffffffff', Number.MAX_SAFE_INTEGER],
    ['cf 0020000000000000', undefined],
    ['cf ffffffffffffffff', undefined],
    ['d3 ffe0000000000001', Number.MIN_SAFE_INTEGER],
    ['d3 ffe0000000000000', undefined],
    ['d3 0020000000000000', undefined],
    ['d3 8000000000000000', undefined],
    ['d3 ffffffffffffffff', -1],
    ['ca 3fc00000', 1.5],
    ['ca 7f800000', undefined],
    ['cb 7ff0000000000000', undefined],
    ['cb 7ff8000000000000', undefined],
    ['cb fff0000000000000', undefined],
    ['cb 4340000000000000', 2 ** 53],
    ['d0 80', -128],
    ['d1 8000', -32_768],
    ['d2 80000000', -2_147_483_648],
    ['e0', -32],
  ])('the number %s is %s', (bytes, value) => {
    if (value === undefined) expect(closes(call(bytes))).toBe(CLOSE.MALFORMED)
    else expect(inputOf(call(bytes))).toBe(value)
  })

  it.each([
    '{"__proto__":1}',
    '[{"a":{"__proto__":{"x":1}}}]',
    '{"constructor":{"prototype":null}}',
    '[{"constructor":{"a":1,"prototype":{"x":1}}}]',
  ])('with %s in it, which would change a prototype, is unsafe', (input) => {
    expect(closes(call(msgpackOf(JSON.parse(input))))).toBe(CLOSE.UNSAFE)
  })

  it('hides no key in a longer form of its length', () => {
    // The same key in a longer form of its length.
    expect(closes(call('81 d9 09 5f5f70726f746f5f5f c0'))).toBe(CLOSE.UNSAFE)
    expect(closes(call('81 da 0009 5f5f70726f746f5f5f c0'))).toBe(CLOSE.UNSAFE)
    expect(closes(call('81 db 00000009 5f5f70726f746f5f5f c0'))).toBe(CLOSE.UNSAFE)
  })

  it.each([
    '{"constructor":1}',
    '{"constructor":{"name":"Ferrari"}}',
    '{"prototype":{"a":1}}',
    '{"_proto__":1,"__proto_":2,"hasOwnProperty":3,"toString":null,"length":1}',
    '["__proto__","prototype"]',
  ])('with %s in it is not', (input) => {
    expect(JSON.stringify(inputOf(call(msgpackOf(JSON.parse(input)))))).toBe(input)
  })

  it(`nests up to ${MAX_DEPTH} deep, counted from the frame`, () => {
    const lists = (depth: number) => `${'91'.repeat(depth - 1)} 90`
    const maps = (depth: number) => `${'81 a161'.repeat(depth - 1)} 80`
    for (const nested of [lists, maps]) {
      expect(closes(call(nested(MAX_DEPTH - 1)))).toBeUndefined()
      expect(closes(call(nested(MAX_DEPTH)))).toBe(CLOSE.UNSAFE)
      expect(closes(call(nested(60_000)))).toBe(CLOSE.UNSAFE)
    }
  })
})

describe('bytes', () => {
  it('are no element of a frame but a value', () => {
    const bytes = new Uint8Array([1])
    for (const frame of [
      [6, 1, 'room', bytes],
      [2, 1, bytes, null],
      [1, 's', 'h', 'v', bytes],
      [9, bytes],
      bytes,
    ]) {
      expect(closes(msgpackOf(frame))).toBe(CLOSE.MALFORMED)
    }
    expect(decode(msgpackOf([5, 1, bytes]))).toEqual([5, 1, bytes])
  })

  it('come as a Uint8Array of their own, which holds on to nothing', () => {
    const message = Buffer.concat([
      Buffer.alloc(100),
      call(msgpackOf(new Uint8Array([1, 2, 3]))),
      Buffer.alloc(100),
    ])
    const bytes = inputOf(message.subarray(100, -100))
    expect(bytes).toStrictEqual(new Uint8Array([1, 2, 3]))
    expect(Object.getPrototypeOf(bytes)).toBe(Uint8Array.prototype)
    expect((bytes as Uint8Array).buffer.byteLength).toBe(3)
    message.fill(9)
    expect(bytes).toStrictEqual(new Uint8Array([1, 2, 3]))
  })

  it('of any length and kind of view go through', () => {
    for (const length of [0, 1, 255, 256, 65_535, 65_536, 200_000]) {
      const bytes = Uint8Array.from({ length }, (_, i) => i)
      for (const view of [bytes, Buffer.from(bytes)]) {
        const read = inputOf(encode([2, 1, 'a', view]))
        // Byte by byte, `toEqual` takes seconds.
        expect(read instanceof Uint8Array && Buffer.compare(read, bytes) === 0).toBe(true)
      }
    }
    const whole = new Uint8Array([0, 1, 2, 3, 4])
    expect(inputOf(encode([2, 1, 'a', [whole.subarray(1, 3)]]))).toStrictEqual([new Uint8Array([1, 2])])
  })
})

describe('what is written in binary', () => {
  const value = (input: unknown): unknown => inputOf(encode([2, 1, 'a', input]))
  const asJson = (input: unknown): unknown =>
    (jsonCodec.parse(jsonCodec.encode([2, 1, 'a', input]) as string) as readonly unknown[])[3]

  it.each([
    { a: undefined, b: [undefined, () => 1, Symbol('x')], c: NaN, d: Infinity, e: null },
    { date: new Date(0), nested: { toJSON: () => ({ kept: [1] }) } },
    { toJSON: () => undefined },
    new Map([[1, 2]]),
    new Set([1]),
    [new String('x'), new Number(1), new Boolean(false), Object.create({ inherited: 1 })],
    { constructor: { a: 1 }, 'a-b': { '': 0 }, hasOwnProperty: 1 },
    /x/,
    new Error('x'),
    [-0, 1e300, -1e-300, 2 ** 53, 2 ** 32, 2 ** 31, -(2 ** 31) - 1],
    Object.assign(Object.create(null), { a: 1 }),
    'é'.repeat(200),
    ['\ufeff', '\ufeffa', `x\ufeff${'x'.repeat(100)}`],
    ['', '\u0000', '😀', 'x'.repeat(70_000)],
  ])('is what JSON would hold: %#', (input) => {
    // JSON writes -0 as 0.
    expect(value(input)).toEqual(asJson(input))
  })

  it('is whole text: half a surrogate pair, which UTF-8 cannot carry, becomes U+FFFD', () => {
    expect(value(['a\ud800', { '\udc00b': `${'x'.repeat(100)}\ud800` }, '😀'])).toEqual([
      ...['a\ufffd', { '\ufffdb': `${'x'.repeat(100)}\ufffd` }, '😀'],
    ])
  })

  it('nests as deep as is read, and no cycle is followed', () => {
    const cycle: { self?: unknown } = {}
    cycle.self = cycle
    expect(() => value(cycle)).toThrow(TypeError)
    expect(() => value(JSON.parse('['.repeat(70) + ']'.repeat(70)))).toThrow(RangeError)
    expect(() => value({ a: 1n })).toThrow(TypeError)
  })

  it('says no more than was written, whatever is written next', () => {
    const first = encode([2, 1, 'a', 'first'])
    for (let i = 0; i < 10_000; i++) encode([2, 1, 'a', 'x'.repeat(i % 300)])
    expect(inputOf(first)).toBe('first')
  })
})

describe('any value', () => {
  it('is the same through both codecs', () => {
    let seed = 7
    const roll = (n: number): number => {
      seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31
      return Math.floor((seed / 2 ** 31) * n)
    }
    const any = (depth: number): unknown => {
      const kind = roll(depth > 0 ? 9 : 7)
      if (kind === 0) return null
      if (kind === 1) return roll(2) === 0
      if (kind === 2) return roll(2 ** 31) - 2 ** 30
      if (kind === 3) return (roll(2 ** 31) - 2 ** 30) * 2 ** roll(20)
      if (kind === 4) return roll(1_000_000) / 1000
      if (kind === 5) return 'x'.repeat(roll(50))
      if (kind === 6)
        return String.fromCodePoint(...Array.from({ length: roll(90) }, () => 32 + roll(0xd7df)))
      if (kind === 7) return Array.from({ length: roll(20) }, () => any(depth - 1))
      return Object.fromEntries(
        Array.from({ length: roll(20) }, (_, i) => [`k${roll(2 ** 30)}${i}`, any(depth - 1)]),
      )
    }
    for (let i = 0; i < 500; i++) {
      const frame = [2, 1, 'a', any(4)] as const
      expect(decode(encode(frame))).toStrictEqual(JSON.parse(JSON.stringify(frame)))
      expect(Buffer.from(encode(frame)).equals(msgpackOf(frame))).toBe(true)
    }
  })

  it('that is broken anywhere is read or refused, and nothing else', () => {
    const codes = [CLOSE.MALFORMED, CLOSE.UNSAFE, CLOSE.UNKNOWN_FRAME, undefined]
    for (const { frame } of golden) {
      const bytes = msgpackOf(frame)
      for (let at = 0; at < bytes.length; at++) {
        for (const token of [
          0x00, 0x7f, 0x81, 0x91, 0xa1, 0xc1, 0xc4, 0xc7, 0xcf, 0xd4, 0xdb, 0xdd, 0xdf, 0xff,
        ]) {
          const broken = Buffer.from(bytes)
          broken[at] = token
          expect(codes).toContain(closes(broken))
        }
        expect(closes(bytes.subarray(0, at))).toBe(CLOSE.MALFORMED)
      }
    }
  })
})
