import { type Static, type TSchema, Type } from '@sinclair/typebox'
import { describe, expect, expectTypeOf, it } from 'vitest'
import { call, contractFromJson, contractToJson, event, room } from '../../contract/index.js'
import type { InputOf } from '../../contract/infer.js'
import { carriesBytes, resolveSchema } from '../../contract/schemas.js'
import { bytePlaces } from '../../plugins/calls/bytes.js'
import { CallError } from '../../plugins/calls/errors.js'
import { compileInput } from '../../plugins/calls/input.js'
import { compileSerializer } from '../../plugins/calls/serialize.js'
import { contractOf, refusal } from './support/contracts.js'

const Bytes = Type.Uint8Array()
const of = (...bytes: number[]) => new Uint8Array(bytes)

const around = (schema: TSchema) => contractOf({ calls: { it: { input: schema } } })
const refused = (schema: TSchema) => refusal(() => around(schema))

/** What the server's handler gets of a value that came as text, or in binary; the rule where it is refused. */
function taken(schema: TSchema, value: unknown, binary: boolean): unknown {
  try {
    return compileInput(around(schema), schema)(value, binary)
  } catch (error) {
    if (error instanceof CallError) return error.data
    throw error
  }
}
const written = (schema: TSchema, value: unknown): string => compileSerializer(around(schema), schema)(value)

const Leaf = Type.Object({ kind: Type.Literal('leaf'), data: Bytes })
const Text = Type.Object({ kind: Type.Literal('text'), data: Type.String() })
const Tree = Type.Recursive((This) =>
  Type.Object({ data: Bytes, below: Type.Array(This), next: Type.Optional(Type.Union([This, Type.Null()])) }),
)

/** Schemas with a value, and that value as JSON. */
const rows: ReadonlyArray<readonly [string, TSchema, unknown, unknown]> = [
  ['alone', Bytes, of(0, 255, 128), 'AP+A'],
  ['none of them', Bytes, of(), ''],
  [
    'in an object',
    Type.Object({ a: Bytes, b: Type.String() }),
    { a: of(1), b: 'AQ==' },
    { a: 'AQ==', b: 'AQ==' },
  ],
  ['that may be absent', Type.Object({ a: Type.Optional(Bytes) }), {}, {}],
  ['in a list', Type.Array(Bytes), [of(1), of(2, 3)], ['AQ==', 'AgM=']],
  ['in a tuple', Type.Tuple([Type.String(), Bytes]), ['AQ==', of(1)], ['AQ==', 'AQ==']],
  ['in a record', Type.Record(Type.String(), Bytes), { a: of(1) }, { a: 'AQ==' }],
  [
    'under some keys',
    Type.Record(Type.String({ pattern: '^b' }), Bytes, { additionalProperties: true }),
    { b1: of(1), c: 'AQ==' },
    { b1: 'AQ==', c: 'AQ==' },
  ],
  [
    'beside declared keys',
    Type.Object({ name: Type.String() }, { additionalProperties: Bytes }),
    { name: 'AQ==', more: of(1) },
    { name: 'AQ==', more: 'AQ==' },
  ],
  ['or null', Type.Union([Bytes, Type.Null()]), of(1), 'AQ=='],
  [
    'or a number',
    Type.Union([Bytes, Type.Number(), Type.Boolean(), Type.Array(Type.String())]),
    ['AQ=='],
    ['AQ=='],
  ],
  [
    'in one of two objects',
    Type.Union([Leaf, Text]),
    { kind: 'leaf', data: of(1) },
    { kind: 'leaf', data: 'AQ==' },
  ],
  [
    'not in the other of two objects',
    Type.Union([Leaf, Type.Union([Text, Type.Null()])]),
    { kind: 'text', data: 'AQ==' },
    { kind: 'text', data: 'AQ==' },
  ],
  [
    'in an intersection',
    Type.Intersect([Type.Object({ a: Bytes }), Type.Object({ b: Bytes })]),
    { a: of(1), b: of(2) },
    { a: 'AQ==', b: 'Ag==' },
  ],
  [
    'in what contains itself',
    Tree,
    { data: of(1), below: [{ data: of(2), below: [], next: null }], next: { data: of(3), below: [] } },
    { data: 'AQ==', below: [{ data: 'Ag==', below: [], next: null }], next: { data: 'Aw==', below: [] } },
  ],
]

describe('bytes', () => {
  it('are Uint8Array in the types', () => {
    const definition = call({ input: Type.Object({ file: Bytes }) })
    expectTypeOf<InputOf<typeof definition>>().toEqualTypeOf<{ file: Static<typeof Bytes> }>()
    expectTypeOf<Static<typeof Bytes>>().toEqualTypeOf<Uint8Array>()
  })

  it.each(rows)(
    '%s: written to JSON, read from it, and taken as they are in binary',
    (_, schema, value, json) => {
      expect(JSON.parse(written(schema, value))).toEqual(json)
      expect(taken(schema, structuredClone(json), false)).toStrictEqual(value)
      expect(taken(schema, structuredClone(value), true)).toStrictEqual(value)
    },
  )

  it('of a Buffer or a view are the bytes that it shows', () => {
    const whole = of(0, 1, 2, 3)
    expect(written(Bytes, whole.subarray(1, 3))).toBe('"AQI="')
    expect(written(Bytes, Buffer.from(whole).subarray(1, 3))).toBe('"AQI="')
  })

  it('that came as text are theirs alone: a small Buffer would be a view into a pool', () => {
    const bytes = taken(Bytes, 'AP+A', false)
    expect(Object.getPrototypeOf(bytes)).toBe(Uint8Array.prototype)
    expect((bytes as Uint8Array).buffer.byteLength).toBe(3)
  })

  it.each(['AP+', 'AP-A', 'AP_A', 'AP+A=', 'AP+A\n', ' AP+A', 'AQ', 'AQ=', 'AR==', 'A', '=', 'é'])(
    'are canonical base64 in JSON, which %j is not',
    (text) => {
      expect(taken(Bytes, text, false)).toEqual({ pointer: '', rule: 'Uint8Array' })
    },
  )

  it('are no text in binary, and no text is bytes in JSON', () => {
    expect(taken(Bytes, 'AQ==', true)).toEqual({ pointer: '', rule: 'Uint8Array' })
    expect(taken(Type.Object({ a: Bytes }), { a: [1] }, false)).toEqual({ pointer: '/a', rule: 'Uint8Array' })
    expect(taken(Type.String(), of(1), true)).toEqual({ pointer: '', rule: 'String' })
  })

  it.each<[string, TSchema, unknown]>([
    ['anything', Type.Unknown(), of(1)],
    ['anything in a list', Type.Array(Type.Any()), [1, of(1)]],
    ['an object of any keys', Type.Record(Type.String(), Type.Number()), of(1)],
    ['an object without keys', Type.Object({}), of(1)],
    ['an undeclared key', Type.Object({ a: Bytes }), { a: of(1), b: of(2) }],
    [
      'the other of two objects',
      Type.Union([Leaf, Type.Object({ kind: Type.Literal('any'), data: Type.Unknown() })]),
      { kind: 'any', data: of(1) },
    ],
  ])('where %s is allowed are refused: JSON could not carry them', (_, schema, value) => {
    expect(taken(schema, value, true)).toEqual({ pointer: '', rule: 'Bytes' })
  })

  it.each<[TSchema, unknown]>([
    [Type.Unknown(), of(1)],
    [Type.Array(Type.Unknown()), [{ a: of(1) }]],
    [Type.Record(Type.String(), Type.Unknown()), { a: Buffer.from('x') }],
  ])('are not written where they are not declared', (schema, value) => {
    expect(() => written(schema, value)).toThrow(/Bytes/)
  })

  it('have the bounds of their schema', () => {
    const schema = Type.Uint8Array({ minByteLength: 2, maxByteLength: 3 })
    expect(taken(schema, 'AQ==', false)).toEqual({ pointer: '', rule: 'Uint8ArrayMinByteLength' })
    expect(taken(schema, of(1, 2), true)).toEqual(of(1, 2))
    expect(taken(schema, of(1, 2, 3, 4), true)).toEqual({ pointer: '', rule: 'Uint8ArrayMaxByteLength' })
    expect(() => written(schema, of(1))).toThrow(/Uint8ArrayMinByteLength/)
    expect(refused(Type.Uint8Array({ minByteLength: -1 })).path).toBe('calls.it.input.minByteLength')
    expect(refused(Type.Uint8Array({ maxByteLength: 1.5 })).message).toContain('whole number')
  })

  it('leave what has none of them alone', () => {
    const contract = around(Type.Array(Type.String()))
    expect(carriesBytes(contract)).toBe(false)
    const places = bytePlaces(resolveSchema(contract, contract.calls?.['it']?.input ?? Type.Null()))
    const value = ['AQ==']
    expect(places.revive(value)).toBe(value)
    expect(places.holdAll(value)).toBe(true)
  })
})

describe('a contract', () => {
  it.each(rows)('may have bytes %s, also as JSON, and knows it', (_, schema) => {
    const contract = around(schema)
    expect(carriesBytes(contract)).toBe(true)
    const read = contractFromJson(JSON.parse(JSON.stringify(contractToJson(contract))))
    expect(read.hash).toBe(contract.hash)
    expect(carriesBytes(read)).toBe(true)
  })

  it('has another hash with bytes than with a text, and with other bounds', () => {
    const hashes = [Bytes, Type.String(), Type.Uint8Array({ maxByteLength: 1 })].map(
      (each) => around(each).hash,
    )
    expect(new Set(hashes).size).toBe(3)
  })

  it.each<[string, TSchema]>([
    ['a text', Type.Union([Bytes, Type.String()])],
    ['a literal text', Type.Union([Bytes, Type.Literal('none')])],
    ['anything', Type.Union([Bytes, Type.Unknown()])],
    ['other bytes', Type.Union([Bytes, Type.Uint8Array({ maxByteLength: 1 })])],
    ['a text, in a union of unions', Type.Union([Type.Null(), Type.Union([Bytes, Type.String()])])],
    ['another object', Type.Union([Type.Object({ a: Bytes }), Type.Object({ a: Type.String() })])],
    ['an object that has another literal only at times', Type.Union([Leaf, Type.Partial(Text)])],
    ['an object with the same literal', Type.Union([Leaf, Type.Object({ kind: Type.Literal('leaf') })])],
    ['another list', Type.Union([Type.Array(Bytes), Type.Array(Type.String())])],
    ['a record', Type.Union([Leaf, Type.Record(Type.String(), Type.String())])],
    ['what is anything but', Type.Union([Leaf, Type.Not(Type.Null())])],
  ])('has no union in which JSON could not tell bytes from %s', (_, schema) => {
    const { path, message } = refused(Type.Object({ a: Type.Array(schema) }))
    expect(path).toBe('calls.it.input')
    expect(message).toContain('Type.Literal in each')
  })

  it('has no bytes where a schema says what a value is not, or that one item is', () => {
    expect(refused(Type.Not(Bytes)).message).toContain('Type.Not')
    expect(refused(Type.Array(Type.Unknown(), { contains: Bytes })).message).toContain('`contains`')
  })

  it('has none in the params of a room, nor as the key of a latest value', () => {
    expect(
      refusal(() => contractOf({ rooms: { it: room({ params: Type.Object({ a: Bytes }), events: {} }) } }))
        .path,
    ).toBe('rooms.it.params.properties.a')
    const payload: TSchema = Type.Object({ a: Bytes })
    const latest = { ...event({ payload }), delivery: 'latest' as const, key: 'a' }
    expect(
      refusal(() => contractOf({ rooms: { it: { params: Type.Object({}), events: { it: latest } } } })).path,
    ).toBe('rooms.it.events.it.key')
  })
})
