import { Type } from '@sinclair/typebox'
import { describe, expect, it } from 'vitest'
import { type JsonSchema, remarks } from '../../codegen/json-schema.js'
import { type Naming, typeOf } from '../../codegen/schema-to-type.js'

const naming: Naming = { of: (id) => `«${id}»`, within: () => naming }
const print = (schema: unknown) => typeOf(JSON.parse(JSON.stringify(schema)), naming).text

const Person = Type.Object({ name: Type.String() }, { $id: 'Person' })
const long = (n: number) => Type.Literal(`a literal of some length ${n}`)

const table: Record<string, [given: unknown, want: string][]> = {
  scalars: [
    [Type.String({ maxLength: 3, pattern: '^a' }), 'string'],
    [Type.Number({ minimum: 1 }), 'number'],
    [Type.Integer(), 'number'],
    [Type.Boolean(), 'boolean'],
    [Type.Null(), 'null'],
    [Type.TemplateLiteral(`a-\${string}`), 'string'],
    [{ type: ['string', 'null'], maxLength: 3 }, 'string | null'],
  ],
  'any and never': [
    [Type.Any(), 'unknown'],
    [Type.Unknown(), 'unknown'],
    [Type.Never(), 'never'],
    [true, 'unknown'],
    [false, 'never'],
    [Type.Not(Type.String()), 'unknown'],
    [Type.Intersect([Type.String(), Type.Not(Type.Literal('a'))]), 'string'],
  ],
  literals: [
    [Type.Literal('a'), "'a'"],
    [Type.Literal("it's"), "'it\\'s'"],
    [Type.Literal(-1.5), '-1.5'],
    [Type.Literal(true), 'true'],
    [Type.Enum({ A: 'a', B: 1 }), "'a' | 1"],
    [{ enum: ['a', 1, null, 'a'] }, "'a' | 1 | null"],
    [{ enum: [] }, 'never'],
    [{ const: { a: [1, 'x'], 'b-c': {} } }, "{ a: [1, 'x']; 'b-c': Record<string, never> }"],
  ],
  objects: [
    [Type.Object({ a: Type.String(), b: Type.Integer() }), '{ a: string; b: number }'],
    [Type.Object({ a: Type.Optional(Type.String()) }), '{ a?: string | undefined }'],
    [Type.Object({ a: Type.Optional(Type.Any()) }), '{ a?: unknown }'],
    [Type.Object({}), 'Record<string, never>'],
    [Type.Object({}, { additionalProperties: false }), 'Record<string, never>'],
    [{ type: 'object' }, '{ [key: string]: unknown }'],
    [
      Type.Object({ 'a-b': Type.Null(), class: Type.Null(), délivrer: Type.Null(), '1': Type.Null() }),
      "{ '1': null; 'a-b': null; class: null; 'd\u00e9livrer': null }",
    ],
    [Type.Object({ a: Type.Object({ b: Type.Null() }) }), '{ a: { b: null } }'],
    [
      Type.Object({ a: Type.String({ description: 'One.', maxLength: 3 }) }),
      '{\n  /**\n   * One.\n   * maxLength 3\n   */\n  a: string\n}',
    ],
    [Type.Partial(Type.Object({ a: Type.String() })), '{ a?: string | undefined }'],
    [
      Type.Composite([Type.Object({ a: Type.String() }), Type.Object({ b: Type.Null() })]),
      '{ a: string; b: null }',
    ],
  ],
  'other properties': [
    [Type.Record(Type.String(), Type.Number()), '{ [key: string]: number }'],
    [Type.Record(Type.Number(), Type.Number()), '{ [key: string]: number }'],
    [Type.Record(Type.Union([Type.Literal('a'), Type.Literal('b')]), Type.Null()), '{ a: null; b: null }'],
    [Type.Object({}, { additionalProperties: true }), '{ [key: string]: unknown }'],
    [
      Type.Object(
        { a: Type.Optional(Type.String()), b: Type.Null() },
        { additionalProperties: Type.Number() },
      ),
      '{ a?: string | undefined; b: null; [key: string]: number | string | undefined | null }',
    ],
    [
      { type: 'object', patternProperties: { '^a': { type: 'null' }, '^b': { type: 'string' } } },
      '{ [key: string]: null | string }',
    ],
  ],
  arrays: [
    [Type.Array(Type.String()), 'string[]'],
    [Type.Array(Type.Array(Type.Null())), 'null[][]'],
    [Type.Array(Type.Union([Type.String(), Type.Null()])), '(string | null)[]'],
    [Type.Array(Type.Intersect([Type.Object({ a: Type.Null() }), Person])), '({ a: null } & «Person»)[]'],
    [{ type: 'array' }, 'unknown[]'],
    [Type.Tuple([Type.String(), Type.Number()]), '[string, number]'],
    [Type.Tuple([]), '[]'],
    [
      { type: 'array', prefixItems: [{ type: 'string' }, { enum: [1, 2] }], minItems: 1, items: false },
      '[string, (1 | 2)?]',
    ],
    [
      { type: 'array', items: [{ type: 'null' }], minItems: 1, additionalItems: { enum: [1, 2] } },
      '[null, ...(1 | 2)[]]',
    ],
    [{ type: 'array', items: [{ type: 'null' }], minItems: 1 }, '[null, ...unknown[]]'],
  ],
  'unions and intersections': [
    [Type.Union([Type.String(), Type.Null()]), 'string | null'],
    [Type.Union([Type.String(), Type.String({ maxLength: 1 })]), 'string'],
    [Type.Union([Type.String(), Type.Any()]), 'unknown'],
    [Type.Union([Type.String(), Type.Never()]), 'string'],
    [Type.Union([]), 'never'],
    [{ oneOf: [{ type: 'string' }, { type: 'null' }] }, 'string | null'],
    [
      Type.Union([long(1), long(2), long(3), long(4)]),
      [1, 2, 3, 4].map((n) => `\n  | 'a literal of some length ${n}'`).join(''),
    ],
    [
      Type.Intersect([Type.Object({ a: Type.Null() }), Type.Object({ b: Type.Null() })]),
      '{ a: null } & { b: null }',
    ],
    [Type.Intersect([Type.Object({ a: Type.Null() }), Type.Object({})]), '{ a: null }'],
    [
      Type.Intersect([
        Person,
        Type.Union([Type.Object({ a: Type.Null() }), Type.Object({ b: Type.Null() })]),
      ]),
      '«Person» & ({ a: null } | { b: null })',
    ],
    [Type.Intersect([Person, Type.Any()]), '«Person»'],
    [Type.Intersect([Person, Type.Never()]), 'never'],
    [
      {
        type: 'object',
        properties: { a: { type: 'null' } },
        anyOf: [{ type: 'object', properties: { b: {} }, required: ['b'] }, { $ref: 'Person' }],
      },
      '({ b: unknown } | «Person») & { a?: null | undefined }',
    ],
  ],
  names: [
    [Person, '«Person»'],
    [Type.Ref('Person'), '«Person»'],
    [Type.Object({ a: Person, b: Type.Array(Type.Ref('Person')) }), '{ a: «Person»; b: «Person»[] }'],
    [Type.Module({ A: Type.Object({ b: Type.Ref('B') }), B: Type.Null() }).Import('A'), '«A»'],
    [Type.Recursive((This) => Type.Array(This), { $id: 'Nested' }), '«Nested»'],
  ],
}

describe('a schema as a type', () => {
  for (const [kind, rows] of Object.entries(table)) {
    it.each(rows.map(([given, want]) => ({ given: JSON.stringify(given), want })))(
      `${kind}: $given is $want`,
      ({ given, want }) => {
        expect(print(JSON.parse(given))).toBe(want)
      },
    )
  }

  it('keeps a property that is called __proto__', () => {
    const schema: JsonSchema = JSON.parse(
      '{"type":"object","properties":{"__proto__":{"type":"null"}},"required":["__proto__"]}',
    )
    expect(print(schema)).toBe('{ __proto__: null }')
  })
})

describe('remarks', () => {
  it('say description, constraints and deprecation', () => {
    expect(
      remarks({ type: 'string', description: 'A name.', minLength: 1, maxLength: 9, deprecated: true }),
    ).toEqual(['A name.', 'minLength 1, maxLength 9', '@deprecated'])
  })

  it('say nothing where there is nothing to say', () => {
    expect(remarks({ type: 'string' })).toEqual([])
  })
})
