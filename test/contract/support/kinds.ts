/** One row for each kind of schema that a contract may hold: what passes, what does not, and what must not leave. */
import { type TSchema, Type } from '@sinclair/typebox'

/** A schema with samples. */
export interface KindRow {
  readonly title: string
  readonly schema: TSchema
  readonly good: readonly unknown[]
  readonly bad: readonly unknown[]
  /** Valid values with undeclared fields, and what is left of them on the wire. */
  readonly dirty?: ReadonlyArray<readonly [value: unknown, left: unknown]>
  /** How values are written; see SerializerPlan. */
  readonly plan: 'compiled' | 'cleaned'
}

const Point = Type.Object({ x: Type.Number(), y: Type.Number() }, { $id: 'Point' })
const Node = Type.Recursive((This) => Type.Object({ name: Type.String(), children: Type.Array(This) }), {
  $id: 'Node',
})
const Expression = Type.Recursive((This) =>
  Type.Union([
    Type.Number(),
    Type.Object({ left: This, op: Type.Literal('add'), right: This }),
    Type.Object({ op: Type.Literal('negate'), of: This }),
  ]),
)
const Family = Type.Module({
  Person: Type.Object({
    name: Type.String(),
    friend: Type.Optional(Type.Ref('Person')),
    home: Type.Ref('Home'),
  }),
  Home: Type.Object({ street: Type.String() }),
  Draft: Type.Partial(Type.Ref('Home')),
})

const A = Type.Object({ kind: Type.Literal('a'), a: Type.Object({ deep: Type.String() }) })
const B = Type.Object({ kind: Type.Literal('b'), b: Type.Integer() })

export const kinds: readonly KindRow[] = [
  { title: 'Any', schema: Type.Any(), good: [1, 'a', null, { a: [1] }, []], bad: [], plan: 'cleaned' },
  {
    title: 'Unknown',
    schema: Type.Unknown(),
    good: [1, 'a', null, { a: { b: 1 } }],
    bad: [],
    plan: 'cleaned',
  },
  { title: 'Null', schema: Type.Null(), good: [null], bad: [0, '', false, {}], plan: 'compiled' },
  { title: 'Boolean', schema: Type.Boolean(), good: [true, false], bad: [0, 'true', null], plan: 'compiled' },
  {
    title: 'String',
    schema: Type.String({ minLength: 1, maxLength: 12, pattern: '^[^x]*$' }),
    good: ['a', '\u2028"\\\n', '\ud83d\ude00', '\ud800', '</script>`'],
    bad: ['', 'x', 'a'.repeat(13), 1, null],
    plan: 'compiled',
  },
  {
    title: 'String with a format',
    schema: Type.String({ format: 'date-time' }),
    good: ['2026-02-28T12:00:00Z'],
    bad: ['2026-02-30T12:00:00Z', 'now'],
    plan: 'compiled',
  },
  {
    title: 'Number',
    schema: Type.Number({ minimum: -10, exclusiveMaximum: 1e21 }),
    good: [0, 1.5, -10, 5e-324, 1e20],
    bad: [-11, 1e21, Number.NaN, Number.POSITIVE_INFINITY, '1'],
    plan: 'compiled',
  },
  {
    title: 'Integer',
    schema: Type.Integer({ multipleOf: 5 }),
    good: [0, 5, -10, 5e17],
    bad: [1, 0.5, '5', null],
    plan: 'compiled',
  },
  { title: 'Literal', schema: Type.Literal("it's"), good: ["it's"], bad: ['its', null], plan: 'compiled' },
  { title: 'Literal number', schema: Type.Literal(7), good: [7], bad: ['7', 8], plan: 'compiled' },
  { title: 'Enum', schema: Type.Enum({ A: 'a', B: 2 }), good: ['a', 2], bad: ['A', 1], plan: 'compiled' },
  {
    title: 'Union of scalars',
    schema: Type.Union([Type.String(), Type.Integer(), Type.Boolean(), Type.Null()]),
    good: ['', 'a', 1, true, null],
    bad: [1.5, {}, []],
    plan: 'compiled',
  },
  {
    title: 'Union of an object and null',
    schema: Type.Object({ a: Type.Union([Type.Object({ b: Type.String() }), Type.Null()]) }),
    good: [{ a: null }, { a: { b: '' } }],
    bad: [{ a: {} }, {}],
    dirty: [[{ a: { b: 'b', c: 1 }, d: 1 }, { a: { b: 'b' } }]],
    plan: 'compiled',
  },
  {
    title: 'Union of objects',
    schema: Type.Union([A, B]),
    good: [
      { kind: 'a', a: { deep: '' } },
      { kind: 'b', b: 1 },
    ],
    bad: [{ kind: 'a', b: 1 }, { kind: 'c' }, null],
    dirty: [
      [
        { kind: 'a', a: { deep: 'd', secret: 1 }, b: 'secret' },
        { kind: 'a', a: { deep: 'd' } },
      ],
      [
        { kind: 'b', b: 1, a: { secret: 1 } },
        { kind: 'b', b: 1 },
      ],
    ],
    plan: 'cleaned',
  },
  {
    title: 'Union of objects that both match',
    schema: Type.Union([
      Type.Object({ a: Type.Object({ x: Type.Integer() }) }),
      Type.Object({ a: Type.Object({ x: Type.Integer(), y: Type.Integer() }), b: Type.Integer() }),
    ]),
    good: [{ a: { x: 1 } }, { a: { x: 1, y: 2 }, b: 3 }],
    bad: [{ a: {} }, {}],
    dirty: [
      [
        { a: { x: 1, y: 2, z: 3 }, b: 3, c: 4 },
        { a: { x: 1, y: 2 }, b: 3 },
      ],
    ],
    plan: 'cleaned',
  },
  {
    title: 'Object',
    schema: Type.Object({
      a: Type.String(),
      b: Type.Optional(Type.Integer()),
      'c "`\u0024{}': Type.Boolean(),
    }),
    good: [
      { a: '', 'c "`\u0024{}': true },
      { a: '', b: 1, 'c "`\u0024{}': false },
    ],
    bad: [{}, { a: '', b: null, 'c "`\u0024{}': true }, [], null],
    dirty: [
      [
        { a: '', 'c "`\u0024{}': true, secret: 1, b: undefined },
        { a: '', 'c "`\u0024{}': true },
      ],
    ],
    plan: 'compiled',
  },
  {
    title: 'Object without properties',
    schema: Type.Object({}),
    good: [{}],
    bad: [null, []],
    dirty: [[{ secret: 1 }, {}]],
    plan: 'compiled',
  },
  {
    title: 'closed Object',
    schema: Type.Object(
      { a: Type.Optional(Type.String()) },
      { additionalProperties: false, maxProperties: 1 },
    ),
    good: [{}, { a: '' }],
    bad: [{ b: 1 }],
    plan: 'compiled',
  },
  {
    title: 'open Object',
    schema: Type.Object({ a: Type.Object({ b: Type.String() }) }, { additionalProperties: true }),
    good: [{ a: { b: '' } }, { a: { b: '' }, more: { any: [1] } }],
    bad: [{ more: 1 }],
    dirty: [
      [
        { a: { b: '', c: 1 }, more: 1 },
        { a: { b: '' }, more: 1 },
      ],
    ],
    plan: 'cleaned',
  },
  {
    title: 'Object with a schema for the other properties',
    schema: Type.Object({ a: Type.String() }, { additionalProperties: Type.Object({ n: Type.Integer() }) }),
    good: [{ a: '' }, { a: '', b: { n: 1 } }],
    bad: [{ a: '', b: 1 }],
    dirty: [
      [
        { a: '', b: { n: 1, secret: 1 } },
        { a: '', b: { n: 1 } },
      ],
    ],
    plan: 'cleaned',
  },
  {
    title: 'Never as a property',
    schema: Type.Object({ a: Type.String(), b: Type.Optional(Type.Never()) }),
    good: [{ a: '' }],
    bad: [{ a: '', b: 1 }],
    plan: 'compiled',
  },
  {
    title: 'Array',
    schema: Type.Array(Type.Object({ a: Type.Integer() }), { maxItems: 2, uniqueItems: true }),
    good: [[], [{ a: 1 }, { a: 2 }]],
    bad: [[{ a: 1 }, { a: 1 }], [{ a: 1 }, { a: 2 }, { a: 3 }], [{}], {}],
    dirty: [[[{ a: 1, secret: 1 }], [{ a: 1 }]]],
    plan: 'compiled',
  },
  {
    title: 'Array with contains',
    schema: Type.Array(Type.Integer(), { contains: Type.Literal(1), minContains: 1, maxContains: 2 }),
    good: [[1], [1, 1, 2]],
    bad: [[], [2], [1, 1, 1]],
    plan: 'compiled',
  },
  {
    title: 'Array of anything',
    schema: Type.Array(Type.Unknown()),
    good: [[], [1, { a: 1 }, null]],
    bad: [{}],
    dirty: [
      [
        [undefined, () => 1],
        [null, null],
      ],
    ],
    plan: 'cleaned',
  },
  {
    title: 'Tuple',
    schema: Type.Tuple([Type.String(), Type.Object({ a: Type.Integer() })]),
    good: [['a', { a: 1 }]],
    bad: [['a'], ['a', {}], ['a', { a: 1 }, 1]],
    dirty: [
      [
        ['a', { a: 1, secret: 1 }],
        ['a', { a: 1 }],
      ],
    ],
    plan: 'cleaned',
  },
  { title: 'empty Tuple', schema: Type.Tuple([]), good: [[]], bad: [[1], {}], plan: 'cleaned' },
  {
    title: 'Record of strings',
    schema: Type.Record(Type.String(), Type.Object({ a: Type.Integer() })),
    good: [{}, { any: { a: 1 }, 'with\nline': { a: 2 }, constructor: { a: 3 } }],
    bad: [{ b: 1 }, { 'with\nline': 'unchecked' }, [], null],
    dirty: [[{ b: { a: 1, secret: 1 } }, { b: { a: 1 } }]],
    plan: 'cleaned',
  },
  {
    title: 'Record of numbers',
    schema: Type.Record(Type.Integer(), Type.String()),
    good: [{}, { 1: 'a', 20: 'b' }],
    bad: [{ 1: 1 }],
    dirty: [[{ 1: 'a', secret: 'b' }, { 1: 'a' }]],
    plan: 'cleaned',
  },
  {
    title: 'closed Record',
    schema: Type.Record(Type.TemplateLiteral([Type.Literal('id-'), Type.String()]), Type.Integer(), {
      additionalProperties: false,
    }),
    good: [{ 'id-1': 1 }],
    bad: [{ other: 1 }, { 'id-1': '1' }],
    plan: 'cleaned',
  },
  {
    title: 'Record of literals',
    schema: Type.Record(Type.Union([Type.Literal('a'), Type.Literal('b')]), Type.Integer()),
    good: [{ a: 1, b: 2 }],
    bad: [{ a: 1 }],
    dirty: [
      [
        { a: 1, b: 2, c: 3 },
        { a: 1, b: 2 },
      ],
    ],
    plan: 'compiled',
  },
  {
    title: 'Intersect of objects',
    schema: Type.Intersect([
      Type.Object({ a: Type.String() }),
      Type.Object({ a: Type.String(), b: Type.Integer() }),
    ]),
    good: [{ a: '', b: 1 }],
    bad: [{ a: '' }, { b: 1 }],
    dirty: [
      [
        { a: '', b: 1, secret: 1 },
        { a: '', b: 1 },
      ],
    ],
    plan: 'compiled',
  },
  {
    title: 'Intersect whose members share a property',
    schema: Type.Intersect([
      Type.Object({ a: Type.Object({ x: Type.Integer() }) }),
      Type.Object({ a: Type.Object({ y: Type.Integer() }) }),
    ]),
    good: [{ a: { x: 1, y: 2 } }],
    bad: [{ a: { x: 1 } }],
    dirty: [[{ a: { x: 1, y: 2, z: 3 } }, { a: { x: 1, y: 2 } }]],
    plan: 'cleaned',
  },
  {
    title: 'Intersect with a Union and a Not',
    schema: Type.Intersect([
      Type.Object({ id: Type.String() }),
      Type.Union([A, B]),
      Type.Not(Type.Object({ id: Type.Literal('no') })),
      Type.Unknown(),
    ]),
    good: [{ id: 'i', kind: 'b', b: 1 }],
    bad: [{ id: 'no', kind: 'b', b: 1 }, { kind: 'b', b: 1 }, { id: 'i' }],
    dirty: [
      [
        { id: 'i', kind: 'b', b: 1, a: 1, secret: 1 },
        { id: 'i', kind: 'b', b: 1 },
      ],
    ],
    plan: 'cleaned',
  },
  {
    title: 'Intersect of strings',
    schema: Type.Intersect([Type.String({ minLength: 2 }), Type.String({ maxLength: 3 })]),
    good: ['ab', 'abc'],
    bad: ['a', 'abcd', {}],
    plan: 'cleaned',
  },
  {
    title: 'Composite',
    schema: Type.Composite([Point, Type.Object({ z: Type.Number() })], { additionalProperties: false }),
    good: [{ x: 1, y: 2, z: 3 }],
    bad: [
      { x: 1, y: 2 },
      { x: 1, y: 2, z: 3, w: 4 },
    ],
    plan: 'compiled',
  },
  { title: 'Partial', schema: Type.Partial(Point), good: [{}, { x: 1 }], bad: [{ x: '' }], plan: 'compiled' },
  { title: 'Pick', schema: Type.Pick(Point, ['x']), good: [{ x: 1 }], bad: [{}], plan: 'compiled' },
  { title: 'KeyOf', schema: Type.KeyOf(Point), good: ['x', 'y'], bad: ['z'], plan: 'compiled' },
  {
    title: 'an $id used twice',
    schema: Type.Object({ from: Point, to: Type.Optional(Point) }),
    good: [{ from: { x: 1, y: 2 } }],
    bad: [{ from: {} }],
    dirty: [[{ from: { x: 1, y: 2, z: 3 } }, { from: { x: 1, y: 2 } }]],
    plan: 'compiled',
  },
  {
    title: 'Ref by $id',
    schema: Type.Object({ at: Type.Ref('Point') }),
    good: [{ at: { x: 1, y: 2 } }],
    bad: [{ at: {} }, {}],
    dirty: [[{ at: { x: 1, y: 2, z: 3 } }, { at: { x: 1, y: 2 } }]],
    plan: 'compiled',
  },
  {
    title: 'Recursive with an $id',
    schema: Node,
    good: [
      { name: 'a', children: [] },
      { name: 'a', children: [{ name: 'b', children: [{ name: 'c', children: [] }] }] },
    ],
    bad: [{ name: 'a' }, { name: 'a', children: [{ name: 1, children: [] }] }],
    dirty: [
      [
        { name: 'a', children: [{ name: 'b', children: [], secret: 1 }] },
        { name: 'a', children: [{ name: 'b', children: [] }] },
      ],
    ],
    plan: 'cleaned',
  },
  {
    title: 'Ref to a Recursive',
    schema: Type.Array(Type.Ref('Node')),
    good: [[{ name: 'a', children: [{ name: 'b', children: [] }] }]],
    bad: [[{ name: 'a', children: [1] }]],
    plan: 'cleaned',
  },
  {
    title: 'Recursive Union',
    schema: Expression,
    good: [1, { op: 'negate', of: { left: 1, op: 'add', right: 2 } }],
    bad: ['1', { op: 'negate', of: { left: 1, op: 'add' } }],
    dirty: [
      [
        { op: 'negate', of: 1, left: 1 },
        { op: 'negate', of: 1 },
      ],
    ],
    plan: 'cleaned',
  },
  {
    title: 'Import of a Module that contains itself',
    schema: Family.Import('Person'),
    good: [{ name: 'a', home: { street: 's' }, friend: { name: 'b', home: { street: 't' } } }],
    bad: [{ name: 'a' }, { name: 'a', home: { street: 's' }, friend: {} }],
    dirty: [
      [
        { name: 'a', home: { street: 's', secret: 1 } },
        { name: 'a', home: { street: 's' } },
      ],
    ],
    plan: 'cleaned',
  },
  {
    title: 'Import of a computed type',
    schema: Family.Import('Draft'),
    good: [{}, { street: 's' }],
    bad: [{ street: 1 }],
    dirty: [[{ secret: 1 }, {}]],
    plan: 'compiled',
  },
  {
    title: 'TemplateLiteral',
    schema: Type.TemplateLiteral([Type.Literal('user-'), Type.Enum({ A: '1', B: '2' })]),
    good: ['user-1'],
    bad: ['user-3', 'xuser-1'],
    plan: 'compiled',
  },
  { title: 'Not', schema: Type.Not(Type.String()), good: [1, { a: 1 }], bad: ['a'], plan: 'cleaned' },
  {
    title: 'Unsafe of plain JSON Schema',
    schema: Type.Unsafe<{ a: 'x' | 'y' | null; b?: string | null }>({
      type: 'object',
      properties: {
        a: { enum: ['x', 'y', null] },
        b: { type: ['string', 'null'], maxLength: 2 },
        c: { const: null },
        d: { const: 1, type: 'integer' },
      },
      required: ['a'],
    }),
    good: [{ a: 'x' }, { a: null, b: 'b' }, { a: 'y', b: null, c: null, d: 1 }],
    bad: [{}, { a: 'z' }, { a: 'x', b: 'abc' }, { a: 'x', c: 1 }, { a: 'x', d: 2 }],
    dirty: [[{ a: 'x', secret: 1 }, { a: 'x' }]],
    plan: 'compiled',
  },
  {
    title: 'Unsafe inside TypeBox',
    schema: Type.Object({ list: Type.Array(Type.Unsafe<'a'>({ enum: ['a'] })) }),
    good: [{ list: ['a'] }],
    bad: [{ list: ['b'] }],
    plan: 'compiled',
  },
  {
    title: 'annotations that would end a comment or a template',
    schema: Type.String({
      description: '*/ `\u0024{process.exit()}` \u2028',
      default: { any: ['json'] },
      examples: ['*/'],
      'x-mine': { a: null },
      title: '`',
    }),
    good: ['a'],
    bad: [1],
    plan: 'compiled',
  },
]

/** The schema that `Point` and `Node` refer to: every contract of a row needs them somewhere. */
export const shared: readonly TSchema[] = [Point, Node]
