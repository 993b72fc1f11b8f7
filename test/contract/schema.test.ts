import { FormatRegistry, Kind, type TSchema, Type, TypeRegistry } from '@sinclair/typebox'
import { afterEach, describe, expect, it } from 'vitest'
import { fromJsonSchema, MAX_NESTING, MAX_PARTS } from '../../contract/schema/from-json.js'
import { contractAround, contractOf, refusal } from './support/contracts.js'

const refused = (schema: unknown) => refusal(() => contractAround(schema as TSchema))
const INPUT = 'calls.it.input'

describe('what JSON does not have', () => {
  it.each([
    ['Date', Type.Date(), 'date-time'],
    ['BigInt', Type.BigInt(), 'Type.String'],
    ['Function', Type.Function([], Type.Null()), 'no functions'],
    ['Constructor', Type.Constructor([], Type.Null()), 'no constructors'],
    ['Promise', Type.Promise(Type.Null()), 'async'],
    ['Symbol', Type.Symbol(), 'Type.Literal'],
    ['Undefined', Type.Undefined(), 'Type.Optional'],
    ['Void', Type.Void(), 'leave `ack` out'],
    ['Iterator', Type.Iterator(Type.Null()), 'Type.Array'],
    ['AsyncIterator', Type.AsyncIterator(Type.Null()), '`item`'],
    ['RegExp', Type.RegExp('a'), 'pattern'],
  ])('%s is refused with what to write instead', (_, schema, advice) => {
    expect(refused(schema)).toMatchObject({ path: INPUT })
    expect(refused(schema).message).toContain(advice)
    expect(refused(Type.Object({ a: Type.Array(schema) })).path).toBe(`${INPUT}.properties.a.items`)
    expect(refused(Type.Unsafe({ ...JSON.parse(JSON.stringify(schema)) })).path).toBe(INPUT)
  })

  it('Transform is refused wherever it stands', () => {
    const schema = Type.Transform(Type.String()).Decode(Number).Encode(String)
    expect(refused(Type.Union([Type.Null(), schema]))).toEqual({
      path: `${INPUT}.anyOf[1]`,
      message: expect.stringContaining('convert in the handler'),
    })
  })

  it('kinds of others, and types of TypeBox that are not computed, are refused', () => {
    TypeRegistry.Set('Mine', () => true)
    expect(refused(Type.Unsafe({ [Kind]: 'Mine', type: 'string' })).message).toContain('kind Mine')
    TypeRegistry.Delete('Mine')
    expect(refused(Type.Partial(Type.Ref('Point'))).message).toContain('Type.Module')
    expect(refused(Type.Argument(0)).path).toBe(INPUT)
  })

  it.each([undefined, null, 1, 'string', true, [], new Date(0), new Map(), () => Type.Null()])(
    '%j is no schema',
    (schema) => {
      expect(refusal(() => fromJsonSchema(schema, 'here')).path).toBe('here')
    },
  )

  it.each([
    ['a function', { default: () => 1 }, '.default'],
    ['NaN', { default: [Number.NaN] }, '.default[0]'],
    ['a Date', { examples: [{ a: new Date(0) }] }, '.examples[0].a'],
    ['a bigint', { default: 1n }, '.default'],
    ['a symbol', { 'x-a': Symbol('a') }, '["x-a"]'],
    ['a text that is none', { description: 1 }, '.description'],
    ['a key of prototypes', { default: JSON.parse('{"__proto__": 1}') as unknown }, '.default.__proto__'],
  ])('%s inside is refused', (_, options, place) => {
    expect(refused({ type: 'string', ...options }).path).toBe(INPUT + place)
  })

  it('a cycle in a note is refused', () => {
    const cycle: { self?: unknown } = {}
    cycle.self = cycle
    expect(refused(Type.String({ default: cycle })).message).toContain('too deep')
  })

  it('symbols other than TypeBox’s are refused, undefined counts as absent', () => {
    expect(refused({ ...Type.String(), [Symbol('mine')]: 1 }).path).toBe(INPUT)
    expect(contractAround(Type.Unsafe({ type: 'string', maxLength: undefined })).hash).toBe(
      contractAround(Type.String()).hash,
    )
  })
})

describe('keywords', () => {
  it.each([
    ['one that belongs to another type', { type: 'string', minimum: 1 }, '.minimum'],
    ['oneOf', { oneOf: [{ type: 'string' }] }, '.oneOf'],
    ['if', { type: 'string', if: {} }, '.if'],
    ['nullable', { type: 'string', nullable: true }, '.nullable'],
    ['prefixItems', { type: 'array', items: {}, prefixItems: [] }, '.prefixItems'],
    ['unevaluatedProperties', { allOf: [{}], unevaluatedProperties: false }, '.unevaluatedProperties'],
    ['an unknown one', { type: 'string', errorMessage: 'no' }, '.errorMessage'],
    ['a prototype', JSON.parse('{"type": "string", "__proto__": {"a": 1}}') as unknown, '.__proto__'],
    ['siblings of anyOf', { type: 'object', anyOf: [{}], properties: {} }, '.type'],
    ['a type JSON Schema does not have', { type: 'text' }, '.type'],
    ['a type that every object has', { type: 'constructor' }, '.type'],
    ['no type', { minLength: 1 }, ''],
    ['true as a schema', { type: 'array', items: true }, '.items'],
    ['an object without properties', { type: 'object' }, ''],
    ['an array without items', { type: 'array' }, ''],
    ['an empty anyOf', { anyOf: [] }, '.anyOf'],
    ['an empty enum', { enum: [] }, '.enum'],
    ['an enum of objects', { enum: [{}] }, '.anyOf[0].const'],
    ['a const of another type', { type: 'string', const: 1 }, '.type'],
    ['a const that is a list', { const: [1] }, '.const'],
    ['a const that is NaN', { const: Number.NaN }, '.const'],
    ['a length that is no count', { type: 'string', maxLength: '5' }, '.maxLength'],
    ['a negative length', { type: 'string', minLength: -1 }, '.minLength'],
    ['a bound that is infinite', { type: 'number', maximum: Number.POSITIVE_INFINITY }, '.maximum'],
    ['a step that is a fraction', { type: 'number', multipleOf: 0.01 }, '.multipleOf'],
    ['a pattern that is none', { type: 'string', pattern: '(' }, '.pattern'],
    [
      'a key pattern that is none',
      { type: 'object', patternProperties: { '(': {} } },
      '.patternProperties["("]',
    ],
    ['two key patterns', { type: 'object', patternProperties: { a: {}, b: {} } }, '.patternProperties'],
    [
      'a schema beside a key pattern',
      { type: 'object', patternProperties: { a: {} }, additionalProperties: {} },
      '.additionalProperties',
    ],
    [
      'properties beside a key pattern',
      { type: 'object', patternProperties: { a: {} }, properties: {} },
      '.properties',
    ],
    ['required that is not declared', { type: 'object', properties: {}, required: ['a'] }, '.required'],
    [
      'required that comes twice',
      { type: 'object', properties: { a: {} }, required: ['a', 'a'] },
      '.required',
    ],
    [
      'required that every object has',
      { type: 'object', properties: {}, required: ['toString'] },
      '.required',
    ],
    ['a tuple of any length', { type: 'array', items: [{}] }, ''],
    ['minContains without contains', { type: 'array', items: {}, minContains: 1 }, ''],
    ['minContains of none', { type: 'array', items: {}, contains: {}, minContains: 0 }, '.minContains'],
    ['a pointer', { $ref: '#/definitions/A' }, '.$ref'],
    ['an empty $id', { $id: '', type: 'string' }, '.$id'],
    ['an $id that is no text', { $id: 1, type: 'string' }, '.$id'],
    ['an import of nothing', { $defs: {}, $ref: 'A' }, '.$ref'],
  ])('%s is refused', (_, schema, place) => {
    expect(refused(Type.Unsafe({ ...(schema as object) })).path).toBe(INPUT + place)
    expect(refused(schema).path).toBe(INPUT + place)
  })

  it.each(['constructor', 'toString', '__proto__', 'hasOwnProperty', 'valueOf'])(
    'a property called %s is refused: a check would find the inherited one',
    (name) => {
      const schema = Type.Object(Object.fromEntries([[name, Type.Optional(Type.String())]]))
      expect(refused(schema).path).toBe(`${INPUT}.properties.${name}`)
    },
  )
})

describe('formats', () => {
  afterEach(() => {
    FormatRegistry.Delete('mine')
  })

  it('a format that nobody registered is refused, one that the application did is not', () => {
    const schema = Type.Object({ a: Type.String({ format: 'mine' }) })
    expect(refused(schema).path).toBe(`${INPUT}.properties.a.format`)
    expect(refused(schema).message).toContain('FormatRegistry.Set("mine"')
    FormatRegistry.Set('mine', (text) => text === 'mine')
    expect(() => contractAround(schema)).not.toThrow()
  })

  it('a format of anything but a string is refused: nothing would check it', () => {
    expect(refused(Type.Integer({ format: 'int32' })).path).toBe(`${INPUT}.format`)
  })
})

describe('references', () => {
  const Node = Type.Recursive((This) => Type.Object({ next: Type.Optional(This) }), { $id: 'A' })

  it('one that leads nowhere is refused', () => {
    expect(refused(Type.Array(Type.Ref('Nowhere')))).toMatchObject({ path: `${INPUT}.items.$ref` })
  })

  it('one that only an import knows is refused outside it', () => {
    const Module = Type.Module({ Inner: Type.String() })
    expect(refused(Type.Tuple([Module.Import('Inner'), Type.Ref('Inner')])).path).toBe(
      `${INPUT}.items[1].$ref`,
    )
  })

  it('two different schemas with one $id are refused, the same one twice is not', () => {
    const A = Type.String({ $id: 'A' })
    expect(refused(Type.Tuple([A, Type.Integer({ $id: 'A' })])).path).toBe(`${INPUT}.items[1].$id`)
    expect(refused(Type.Tuple([Node, A])).message).toContain('calls.it.input.items[0]')
    expect(() =>
      contractAround(Type.Tuple([A, { ...A, description: 'again' }, Type.String({ $id: 'A' })])),
    ).not.toThrow()
  })

  it('modules may use the names of each other and of the contract', () => {
    const one = Type.Module({ A: Type.String(), B: Type.Array(Type.Ref('A')) })
    const two = Type.Module({ A: Type.Integer(), B: Type.Array(Type.Ref('A')) })
    const contract = contractAround(
      Type.Tuple([one.Import('B'), two.Import('B'), Type.Boolean({ $id: 'A' })]),
    )
    expect(contract.hash).toBe(
      contractAround(Type.Tuple([Type.Array(Type.String()), Type.Array(Type.Integer()), Type.Boolean()]))
        .hash,
    )
  })

  it('a module may refer to what stands outside it', () => {
    const Module = Type.Module({ Inner: Type.Object({ at: Type.Ref('Point') }) })
    const Point = Type.Object({ at: Type.Object({ x: Type.Number(), y: Type.Number() }) })
    expect(contractAround(Module.Import('Inner')).hash).toBe(contractAround(Point).hash)
  })

  it.each([
    ['itself', { $id: 'A', $ref: 'A' }],
    ['a union with itself', { $id: 'A', anyOf: [{ type: 'null' }, { $ref: 'A' }] }],
    ['not itself', { $id: 'A', not: { $ref: 'A' } }],
    ['an intersection with itself', { $id: 'A', allOf: [{ $ref: 'A' }] }],
  ])('a schema that is %s is refused: no check of it would end', (_, schema) => {
    expect(refused(schema).message).toContain('without a property or an item between')
  })

  it('two schemas that are each other are refused too', () => {
    const schema = Type.Tuple([
      Type.Unsafe({ $id: 'A', $ref: 'B' }),
      Type.Unsafe({ $id: 'B', anyOf: [{ $ref: 'A' }] }),
    ])
    expect(refused(schema).path).toBe(`${INPUT}.items[0]`)
  })
})

describe('bounds', () => {
  const nested = (depth: number): TSchema =>
    depth === 1 ? Type.String() : Type.Object({ a: nested(depth - 1) }, { $id: `N${depth}` })

  it(`schemas nest at most ${MAX_NESTING} deep`, () => {
    expect(() => contractAround(nested(MAX_NESTING))).not.toThrow()
    expect(refused(nested(MAX_NESTING + 1)).message).toContain('nested deeper')
  })

  it('references written out count', () => {
    const deep = Type.Object({ a: Type.Ref('N20') })
    expect(() => contractAround(Type.Tuple([nested(20), Type.Ref('N20')]))).not.toThrow()
    const around = (levels: number): TSchema => (levels === 0 ? deep : Type.Object({ a: around(levels - 1) }))
    expect(refused(Type.Tuple([nested(20), around(20)])).message).toContain('references written out')
  })

  it('a schema that contains itself as an object of JavaScript is refused', () => {
    const schema = Type.Object({ a: Type.String() })
    Object.assign(schema.properties, { a: schema })
    expect(refused(schema).message).toContain('Type.Recursive')
  })

  it('doubling by sharing or by reference is refused before it fills the memory', () => {
    let shared: TSchema = Type.String()
    for (let i = 0; i < 30; i++) shared = Type.Tuple([shared, shared])
    expect(refused(shared).message).toContain(`more than ${MAX_PARTS} parts`)
    const links = Array.from({ length: 30 }, (_, i) =>
      Type.Object(i === 0 ? {} : { a: Type.Ref(`L${i - 1}`), b: Type.Ref(`L${i - 1}`) }, { $id: `L${i}` }),
    )
    const contract = () => contractOf({ calls: { it: { input: Type.Tuple(links) } } })
    expect(refusal(contract).message).toContain(`more than ${MAX_PARTS} parts`)
  })
})
