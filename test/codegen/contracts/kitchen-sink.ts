/** Every kind of schema, in every place where one stands. */
import { call, defineContract, event, room, Type } from '../../../contract/index.js'

const Id = Type.String({ $id: 'Id', minLength: 1 })
const Point = Type.Object({ x: Type.Number(), y: Type.Number() }, { $id: 'point', description: 'A place.' })
const Json = Type.Recursive(
  (This) =>
    Type.Union([
      ...[Type.Null(), Type.Boolean(), Type.Number(), Type.String(), Type.Array(This)],
      Type.Record(Type.String(), This),
    ]),
  { $id: 'Json' },
)
const Tree = Type.Recursive((This) =>
  Type.Object({ name: Type.String(), children: Type.Array(This), parent: Type.Optional(This) }),
)
const Graph = Type.Module({
  Node: Type.Object({ value: Type.String(), edges: Type.Array(Type.Ref('Edge')) }),
  Edge: Type.Object({ weight: Type.Optional(Type.Number()), to: Type.Ref('Node') }),
})
// Its own `Node`: the names of a module are not those of another.
const Document = Type.Module({ Node: Type.Object({ html: Type.String() }) })
const Everything = Type.Object({
  any: Type.Any(),
  unknown: Type.Unknown(),
  nothing: Type.Null(),
  flag: Type.Boolean({ default: false }),
  text: Type.String({ pattern: '^[a-z]+$', format: 'email' }),
  number: Type.Number({ minimum: -1.5 }),
  integer: Type.Integer({ maximum: 9, multipleOf: 3 }),
  literal: Type.Literal('one'),
  enumeration: Type.Enum({ Up: 'up', Down: 'down' }),
  level: Type.Union([Type.Literal(1), Type.Literal(2), Type.Literal(3)], { description: 'How loud.' }),
  template: Type.TemplateLiteral(`user-\${string}`),
  maybe: Type.Optional(Type.Union([Type.String(), Type.Null()])),
  list: Type.Array(Type.Union([Type.String(), Type.Number()]), { maxItems: 3, uniqueItems: true }),
  pair: Type.Tuple([Type.String(), Type.Number()]),
  none: Type.Tuple([]),
  counts: Type.Record(Type.String(), Type.Integer()),
  sides: Type.Record(Type.Union([Type.Literal('left'), Type.Literal('right')]), Type.Number()),
  open: Type.Object({ a: Type.String() }, { additionalProperties: true }),
  extended: Type.Object({ a: Type.String() }, { additionalProperties: Type.Number() }),
  closed: Type.Object({}, { additionalProperties: false }),
  both: Type.Intersect([Type.Object({ a: Type.String() }), Type.Object({ b: Type.Optional(Type.String()) })]),
  merged: Type.Composite([Type.Object({ a: Type.String() }), Type.Object({ b: Type.Number() })]),
  picked: Type.Pick(Type.Object({ a: Type.String(), b: Type.String() }), ['a']),
  partial: Type.Partial(Type.Object({ a: Type.String(), b: Type.String() })),
  variant: Type.Union([
    Type.Object({ type: Type.Literal('text'), body: Type.String() }),
    Type.Object({
      type: Type.Literal('image'),
      url: Type.String(),
      size: Type.Tuple([Type.Integer(), Type.Integer()]),
    }),
  ]),
  unsafe: Type.Unsafe<'a' | 'b' | null>({ enum: ['a', 'b', null] }),
  nullable: Type.Unsafe<string | null>({ type: ['string', 'null'] }),
  point: Point,
  points: Type.Array(Type.Ref('point')),
  json: Json,
  graph: Graph.Import('Node'),
  edges: Type.Array(Graph.Import('Edge')),
  document: Document.Import('Node'),
  old: Type.Optional(Type.String({ description: 'No longer used.', deprecated: true })),
})

export const sink = defineContract({
  name: 'kitchen-sink',
  version: '2.1.0-beta.1',
  calls: {
    put: call({
      input: Everything,
      ack: Everything,
      errors: { NOT_NOW: Type.Null(), CUT: Graph.Import('Edge') },
    }),
    id: call({ input: Id, ack: Id }),
    'tree.get': call({ input: Type.Object({ id: Id }), ack: Tree, delivery: 'repeat' }),
    'tree.all': call({ input: Type.Null(), ack: Type.Array(Tree) }),
    'deep.down.below.it': call({ input: Type.Array(Type.String()), ack: Type.String() }),
    'deep.down.follow': call({
      input: Type.Null(),
      item: Type.Object({ at: Type.Integer() }),
      errors: { CUT: Type.Null() },
    }),
    'deep.down.move': call({ input: Point, delivery: 'volatile' }),
  },
  events: {
    tick: event({ payload: Type.Integer() }),
    'json.changed': event({ payload: Json, ack: Type.Union([Type.Literal('kept'), Type.Null()]) }),
  },
  rooms: {
    board: room({
      description: 'Where points move.',
      params: Type.Object({
        id: Type.String(),
        page: Type.Optional(Type.Integer()),
        side: Type.Union([Type.Literal('a'), Type.Literal('b')]),
      }),
      events: { moved: event({ description: 'A point moved.', payload: Point }) },
    }),
    'team.silent': room({ params: Type.Object({}), events: {} }),
  },
})
