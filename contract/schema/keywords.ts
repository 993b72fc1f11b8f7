/**
 * The dialect of JSON Schema that the wire carries: what TypeBox writes, kind by kind, each keyword with
 * what it may hold. A keyword that is not here would be checked by nobody, so it is refused.
 */
import { FormatRegistry, type TSchema } from '@sinclair/typebox'
import { ContractError } from '../errors.js'
import { at, fieldsAt, refuseNonJson, textAt } from '../plain.js'

/** Reads the schema at a path, one level below. */
export type ReadSchema = (schema: unknown, path: string) => TSchema

/** Reads the value of one keyword; throws a ContractError where it is wrong. */
export type ReadKeyword = (value: unknown, path: string, readSchema: ReadSchema) => unknown

const json: ReadKeyword = (value, path) => {
  refuseNonJson(value, path)
  return value
}

/** Keywords that say something to people and nothing to a check. `x-…` is another. */
const ANNOTATIONS: Readonly<Record<string, ReadKeyword>> = {
  $comment: textAt,
  $schema: textAt,
  contentEncoding: textAt,
  contentMediaType: textAt,
  default: json,
  deprecated: json,
  description: textAt,
  discriminator: json,
  example: json,
  examples: json,
  readOnly: json,
  title: textAt,
  writeOnly: json,
}

/** Reads an annotation's value; `undefined` for keywords that are no annotation. */
export const annotationReader = (keyword: string): ReadKeyword | undefined =>
  Object.hasOwn(ANNOTATIONS, keyword) ? ANNOTATIONS[keyword] : keyword.startsWith('x-') ? json : undefined

const as =
  (problem: string, is: (value: unknown) => boolean): ReadKeyword =>
  (value, path) => {
    if (!is(value)) throw new ContractError(path, problem)
    return value
  }

const count = as(
  'must be a whole number from 0',
  (value) => Number.isSafeInteger(value) && Number(value) >= 0,
)
const number = as('must be a finite number', Number.isFinite)
const boolean = as('must be true or false', (value) => typeof value === 'boolean')
const kept = as('must be a string', (value) => typeof value === 'string')

// 0.3 % 0.1 is not 0: a check by division refuses good values of any other step.
const step = as(
  'must be a whole number from 1: fractions cannot be checked exactly; count in the smallest unit (cents, milliseconds)',
  (value) => Number.isSafeInteger(value) && Number(value) > 0,
)

// TypeBox counts at least one hit whatever minContains says.
const atLeastOne = as(
  'must be a whole number from 1; leave `contains` out where none is needed',
  (value) => Number.isSafeInteger(value) && Number(value) > 0,
)

const scalar = as(
  'must be a string, a finite number or a boolean; compose objects and arrays of Type.Literal',
  (value) => ['string', 'boolean'].includes(typeof value) || Number.isFinite(value),
)

const regularExpression: ReadKeyword = (value, path) => {
  const pattern = textAt(value, path)
  try {
    new RegExp(pattern)
  } catch {
    throw new ContractError(path, 'is no regular expression of JavaScript')
  }
  return pattern
}

const format: ReadKeyword = (value, path) => {
  const name = textAt(value, path)
  if (FormatRegistry.Has(name)) return name
  const how = `FormatRegistry.Set(${JSON.stringify(name)}, (text) => …) of 'ackord/contract'`
  throw new ContractError(path, `no check is registered for this format: call ${how} before defineContract`)
}

const schema: ReadKeyword = (value, path, readSchema) => readSchema(value, path)

const schemaList: ReadKeyword = (value, path, readSchema) => {
  if (!Array.isArray(value) || value.length === 0) {
    throw new ContractError(path, 'must be a list of at least one schema')
  }
  return value.map((element: unknown, i) => readSchema(element, at(path, i)))
}

const schemas: ReadKeyword = (value, path, readSchema) =>
  Object.fromEntries(
    Object.entries(fieldsAt(value, path)).map(([name, field]) => [name, readSchema(field, at(path, name))]),
  )

const properties: ReadKeyword = (value, path, readSchema) => {
  for (const name of Object.keys(fieldsAt(value, path))) {
    // A check reads value[name], and would find what every object inherits.
    if (name in Object.prototype) {
      throw new ContractError(at(path, name), 'is a property that every object has; give it another name')
    }
  }
  return schemas(value, path, readSchema)
}

const onePattern: ReadKeyword = (value, path, readSchema) => {
  const patterns = Object.keys(fieldsAt(value, path))
  if (patterns.length !== 1)
    throw new ContractError(path, 'must have exactly one pattern, as Type.Record does')
  for (const pattern of patterns) regularExpression(pattern, at(path, pattern), readSchema)
  return schemas(value, path, readSchema)
}

const names = as('must be a list of different property names', (value) => {
  return (
    Array.isArray(value) && value.every((v) => typeof v === 'string') && new Set(value).size === value.length
  )
})

const booleanOrSchema: ReadKeyword = (value, path, readSchema) =>
  typeof value === 'boolean' ? value : readSchema(value, path)

const reference: ReadKeyword = (value, path) => {
  const name = textAt(value, path)
  if (name === '' || name.includes('#')) {
    throw new ContractError(path, 'must be the $id of a schema of this contract; pointers are not followed')
  }
  return name
}

const ranges = { minimum: number, maximum: number, exclusiveMinimum: number, exclusiveMaximum: number }
const sizes = { minProperties: count, maxProperties: count }
const lengths = { minItems: count, maxItems: count }

/**
 * The kinds, by the name TypeBox has for them, and the keywords of each besides `$id` and annotations. Their
 * order is in the hash of every contract: add at the end.
 */
const KINDS = {
  Unknown: {},
  Null: { type: kept },
  Boolean: { type: kept },
  String: { type: kept, minLength: count, maxLength: count, pattern: regularExpression, format },
  Number: { type: kept, ...ranges, multipleOf: step },
  Integer: { type: kept, ...ranges, multipleOf: step },
  Literal: { type: kept, const: scalar },
  Object: { type: kept, properties, required: names, additionalProperties: booleanOrSchema, ...sizes },
  // TypeBox checks a schema for the other keys of a record against the wrong value.
  Record: { type: kept, patternProperties: onePattern, additionalProperties: boolean, ...sizes },
  Array: {
    type: kept,
    items: schema,
    ...lengths,
    uniqueItems: boolean,
    contains: schema,
    minContains: atLeastOne,
    maxContains: atLeastOne,
  },
  Tuple: { type: kept, items: schemaList, additionalItems: boolean, ...lengths },
  Union: { anyOf: schemaList },
  Intersect: { type: kept, allOf: schemaList },
  Not: { not: schema },
  Never: { not: schema },
  Ref: { $ref: reference },
  Import: { $ref: reference, $defs: schemas },
  Uint8Array: { type: kept, minByteLength: count, maxByteLength: count },
} as const satisfies Readonly<Record<string, Readonly<Record<string, ReadKeyword>>>>

/** The name of a kind. */
export type KindName = keyof typeof KINDS

const TABLE = new Map<string, Readonly<Record<string, ReadKeyword>>>(Object.entries(KINDS))

/** The keywords that schemas of a kind may have; none for a kind that the wire does not know. */
export const keywordsOfKind = (kind: string): Readonly<Record<string, ReadKeyword>> => TABLE.get(kind) ?? {}

/** Whether the wire knows a kind. */
export const isKnownKind = (kind: string): boolean => TABLE.has(kind)

/** Keywords that a reader may expect to work, and what to write instead. */
export const INSTEAD: Readonly<Record<string, string>> = {
  oneOf: 'write anyOf (Type.Union)',
  nullable: 'write Type.Union([…, Type.Null()])',
  prefixItems: 'write Type.Tuple([…])',
  unevaluatedProperties: 'write Type.Composite([…], { additionalProperties: false })',
  definitions: 'give each schema an $id and refer to that',
}
