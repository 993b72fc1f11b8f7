import { type TSchema, Type } from '@sinclair/typebox'
import { describe, expect, it } from 'vitest'
import { serializerSchema } from '../../contract/schema/serializer.js'
import { jsonCodec, serverFrameDecoder } from '../../contract/wire/codec.js'
import { compileSerializer, MAX_VALUE_DEPTH, UnsendableValue } from '../../plugins/calls/serialize.js'
import { contractAround } from './support/contracts.js'

const serializerOf = (schema: TSchema) => compileSerializer(contractAround(schema), schema)
const unsendable = (schema: TSchema, value: unknown): UnsendableValue => {
  try {
    serializerOf(schema)(value)
  } catch (error) {
    if (error instanceof UnsendableValue) return error
    throw error
  }
  throw new Error('it was sent')
}

describe('what a compiled serializer is given', () => {
  it('holds types and properties, and nothing that would change how a value is written', () => {
    const schema = Type.Object(
      {
        // fast-json-stringify would write it without escaping.
        raw: Type.String({ format: 'date-time', default: 'x', description: 'd' }),
        list: Type.Optional(Type.Array(Type.Integer({ minimum: 1 }), { maxItems: 2 })),
        either: Type.Union([Type.Literal('a'), Type.Literal(1), Type.Null()]),
      },
      { $id: 'It', title: 't' },
    )
    expect(serializerSchema(contractAround(schema), schema)).toEqual({
      kind: 'compiled',
      schema: {
        type: 'object',
        properties: {
          either: { type: ['null', 'number', 'string'] },
          raw: { type: 'string' },
          list: { type: 'array', items: { type: 'integer' } },
        },
      },
    })
  })

  it('is one object where several are intersected', () => {
    const schema = Type.Intersect([Type.Object({ a: Type.String() }), Type.Object({ b: Type.Null() })])
    expect(serializerSchema(contractAround(schema), schema)).toEqual({
      kind: 'compiled',
      schema: { type: 'object', properties: { a: { type: 'string' }, b: { type: 'null' } } },
    })
  })

  it('escapes every text', () => {
    const text = '"\\\u2028\u0000\ud800</script>\u0022'
    expect(serializerOf(Type.Object({ a: Type.String() }))({ a: text })).toBe(JSON.stringify({ a: text }))
  })
})

describe('what cannot be sent', () => {
  it('a value that breaks its schema is named by place and rule, and not written', () => {
    const error = unsendable(Type.Object({ at: Type.Integer() }), { at: 'my secret' })
    expect(error).toMatchObject({ pointer: '/at', rule: 'Integer' })
    expect(error.message).not.toContain('secret')
  })

  it('an object is never coerced where a scalar is declared', () => {
    const leak = { toString: () => 'secret', toJSON: () => 'secret' }
    expect(unsendable(Type.String(), leak).rule).toBe('String')
    expect(unsendable(Type.Union([Type.String(), Type.Null()]), leak).rule).toBe('Union')
    expect(unsendable(Type.Integer(), new Date(0)).rule).toBe('Integer')
  })

  it.each([
    ['anything', Type.Unknown()],
    ['a record', Type.Record(Type.String(), Type.Unknown())],
    ['an open object', Type.Object({}, { additionalProperties: true })],
    ['an object with a schema for the rest', Type.Object({}, { additionalProperties: Type.Integer() })],
    ['a union', Type.Union([Type.Object({ a: Type.String() }), Type.Record(Type.String(), Type.Integer())])],
    ['an intersection', Type.Intersect([Type.Object({}), Type.Record(Type.String(), Type.Integer())])],
  ])('__proto__ in %s: a client would have to close', (_, schema) => {
    expect(unsendable(schema, JSON.parse('{"__proto__": 1}')).rule).toBe('Unsafe')
  })

  it('a nesting that a client would refuse', () => {
    const nest = (depth: number): unknown => (depth === 1 ? [] : [nest(depth - 1)])
    const serialize = serializerOf(Type.Unknown())
    const frame = `[24,"key",[["member",${serialize(nest(MAX_VALUE_DEPTH))},1]],[],[]]`
    expect(serverFrameDecoder(jsonCodec)(frame)?.[0]).toBe(24)
    expect(unsendable(Type.Unknown(), nest(MAX_VALUE_DEPTH + 1)).rule).toBe('Unsafe')
  })

  it('a cycle', () => {
    const cycle: { self?: unknown } = {}
    cycle.self = cycle
    expect(unsendable(Type.Unknown(), cycle).rule).toBe('Unsafe')
    expect(unsendable(Type.Unknown(), { n: 1n }).rule).toBe('Unsafe')
    const List = Type.Recursive((This) => Type.Object({ self: Type.Optional(This) }))
    expect(unsendable(List, cycle).rule).toBe('Unsafe')
  })
})

describe('what is sent', () => {
  it('nothing at all is null', () => {
    const serialize = serializerOf(Type.Unknown())
    expect([serialize(undefined), serialize(() => 1)]).toEqual(['null', 'null'])
  })

  it('the value itself is left alone', () => {
    const schema = Type.Record(Type.String(), Type.Object({ a: Type.Integer() }))
    const value = { x: { a: 1, secret: 1 } }
    expect(serializerOf(schema)(value)).toBe('{"x":{"a":1}}')
    expect(value).toEqual({ x: { a: 1, secret: 1 } })
  })

  it('instances of classes are read by their properties', () => {
    class User {
      readonly password = 'secret'
      get name() {
        return 'Ada'
      }
    }
    const compiled = Type.Object({ name: Type.String() })
    expect(serializerOf(compiled)(new User())).toBe('{"name":"Ada"}')
    expect(serializerOf(Type.Union([compiled, Type.Array(compiled)]))([new User()])).toBe('[{"name":"Ada"}]')
  })

  it('a number that JSON does not have is refused, minus zero is zero', () => {
    expect(unsendable(Type.Number(), Number.NaN).rule).toBe('Number')
    expect(serializerOf(Type.Number())(-0)).toBe('0')
  })
})
