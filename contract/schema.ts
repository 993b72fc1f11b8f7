/** Plain JSON Schema to TypeBox schemas, with their kinds. What the wire cannot carry is refused with its path. */
import { Kind, OptionalKind, TransformKind, type TSchema, Type } from '@sinclair/typebox'
import { ContractError } from './errors.js'
import {
  annotationReader,
  INSTEAD,
  isKnownKind,
  type KindName,
  keywordsOfKind,
  type ReadKeyword,
  type ReadSchema,
} from './keywords.js'
import { at, type Fields, fieldsAt, isFields, textAt } from './plain.js'

/** How deep schemas may nest, counted in schemas. */
export const MAX_NESTING = 32
/** How many schemas one schema may consist of. */
export const MAX_PARTS = 10_000

/** What JSON does not have, by TypeBox's name for it, and what to write instead. */
const NOT_JSON: Readonly<Record<string, string>> = {
  AsyncIterator: 'make the call a stream (`item`)',
  Constructor: 'JSON has no constructors',
  Date: "write Type.Integer() (milliseconds) or Type.String({ format: 'date-time' })",
  Function: 'JSON has no functions',
  Iterator: 'write Type.Array(…)',
  Promise: 'write what it resolves to; handlers may be async',
  RegExp: 'write Type.String({ pattern })',
  Uint8Array: 'write Type.String() and send base64',
  bigint: "write Type.String({ pattern: '^-?[0-9]+$' })",
  symbol: 'write Type.Literal(…)',
  undefined: 'write Type.Optional(…), or leave the schema out',
  void: 'leave `ack` out',
}

/** Kinds that are another kind with a name for TypeBox's types only. */
const ALIASES: readonly string[] = ['Any', 'This', 'TemplateLiteral', 'Unsafe']
const TYPEBOX_SYMBOL = /^TypeBox\./

/**
 * Reads a schema, TypeBox's own or plain JSON Schema, and gives every part of it TypeBox's kind, so that
 * TypeBox can compile it. Annotations and `$id`s are kept. Throws a ContractError for what the wire cannot
 * carry and for keywords that nothing would check. Whether a `$ref` leads somewhere is not looked at.
 */
export function fromJsonSchema(schema: unknown, path: string): TSchema {
  let parts = 0
  const below =
    (depth: number) =>
    (value: unknown, place: string): TSchema => {
      if (depth === 0) {
        throw new ContractError(
          place,
          `is nested deeper than ${MAX_NESTING}; write Type.Recursive or flatten it`,
        )
      }
      parts += 1
      if (parts > MAX_PARTS) {
        throw new ContractError(path, `has more than ${MAX_PARTS} parts; share them by Type.Ref`)
      }
      return readPart(value, place, below(depth - 1))
    }
  return below(MAX_NESTING)(schema, path)
}

function readPart(value: unknown, path: string, readSchema: ReadSchema): TSchema {
  if (!isFields(value)) {
    throw new ContractError(path, 'is no schema; write one with Type.…, such as Type.Unknown() for anything')
  }
  refuseForeignKind(value, path)
  const fields = unfold(fieldsAt(value, path), path)
  const kind = kindOf(fields, path)
  const read: Record<string, unknown> = {}
  for (const [keyword, field] of Object.entries(fields)) {
    read[keyword] = readerOf(keyword, kind, path)(field, at(path, keyword), readSchema)
  }
  refuseContradiction(kind, read, path)
  if (kind === 'Object') read['properties'] = withOptional(read)
  return Type.Unsafe({ ...read, [Kind]: kind })
}

function readerOf(keyword: string, kind: KindName, path: string): ReadKeyword {
  const keywords = keywordsOfKind(kind)
  const reader = Object.hasOwn(keywords, keyword) ? keywords[keyword] : undefined
  if (reader !== undefined) return reader
  if (keyword === '$id') return readId
  const annotation = annotationReader(keyword)
  if (annotation !== undefined) return annotation
  const instead = Object.hasOwn(INSTEAD, keyword)
    ? INSTEAD[keyword]
    : `leave it out, or call a note of yours x-${keyword}`
  throw new ContractError(at(path, keyword), `is not checked in a schema of kind ${kind}: ${instead}`)
}

const readId: ReadKeyword = (value, path) => {
  const id = textAt(value, path)
  if (id === '' || id.includes('#')) throw new ContractError(path, 'must be a name without #')
  return id
}

/** Whether a keyword constrains nothing. */
const isNote = (keyword: string): boolean => keyword === '$id' || annotationReader(keyword) !== undefined

/** Refuses what only TypeBox's symbols tell: transforms, kinds of others, types not yet computed. */
function refuseForeignKind(value: Fields, path: string): void {
  for (const symbol of Object.getOwnPropertySymbols(value)) {
    if (symbol === TransformKind) {
      throw new ContractError(
        path,
        'is a Transform: the wire carries what it decodes; convert in the handler',
      )
    }
    if (!TYPEBOX_SYMBOL.test(symbol.description ?? '')) {
      throw new ContractError(path, `has a symbol that is not TypeBox's: ${String(symbol)}; take it out`)
    }
  }
  const kind: unknown = Reflect.get(value, Kind)
  if (
    kind === undefined ||
    isKnownKind(String(kind)) ||
    ALIASES.includes(String(kind)) ||
    notJson(value['type']) !== undefined
  )
    return
  if (kind === 'Computed')
    throw new ContractError(path, 'needs the Type.Module of its Type.Ref: import it from there')
  throw new ContractError(
    path,
    `is of kind ${String(kind)}, which the wire does not know; write Type.Unsafe(…)`,
  )
}

const notJson = (type: unknown): string | undefined =>
  typeof type === 'string' && Object.hasOwn(NOT_JSON, type) ? NOT_JSON[type] : undefined

/** The short forms of JSON Schema, written out as TypeBox would. */
function unfold(fields: Fields, path: string): Fields {
  const { type, enum: values, const: value, ...rest } = fields
  if (values !== undefined) {
    if (!Array.isArray(values) || values.length === 0) {
      throw new ContractError(at(path, 'enum'), 'must be a list of at least one value')
    }
    return {
      ...rest,
      anyOf: values.map((each) => (type === undefined ? { const: each } : { type, const: each })),
    }
  }
  if (value === null) return { ...rest, type: 'null' }
  if (value !== undefined) {
    const own = typeof value
    if (type !== undefined && type !== own && !(type === 'integer' && Number.isInteger(value))) {
      throw new ContractError(at(path, 'type'), `must be ${JSON.stringify(own)}, as the const is`)
    }
    return { ...rest, type: own, const: value }
  }
  if (Array.isArray(type)) {
    const notes = Object.entries(rest).filter(([key]) => isNote(key))
    const constraints = Object.fromEntries(Object.entries(rest).filter(([key]) => !isNote(key)))
    return {
      ...Object.fromEntries(notes),
      anyOf: type.map((each) => (each === 'null' ? { type: each } : { ...constraints, type: each })),
    }
  }
  return fields
}

const TYPES: Readonly<Record<string, KindName>> = {
  null: 'Null',
  boolean: 'Boolean',
  string: 'String',
  number: 'Number',
  integer: 'Integer',
  object: 'Object',
  array: 'Array',
}

/** What makes a schema of one kind and no other, in the order in which to look. */
const SIGNS = [
  ['$defs', 'Import'],
  ['$ref', 'Ref'],
  ['anyOf', 'Union'],
  ['allOf', 'Intersect'],
  ['const', 'Literal'],
] as const satisfies ReadonlyArray<readonly [string, KindName]>

function kindOf(fields: Fields, path: string): KindName {
  const type = fields['type']
  const advice = notJson(type)
  if (advice !== undefined)
    throw new ContractError(path, `is of type ${String(type)}, which JSON does not have: ${advice}`)
  for (const [keyword, kind] of SIGNS) if (fields[keyword] !== undefined) return kind
  if (type === undefined) {
    const not = fields['not']
    if (not !== undefined) return isFields(not) && Object.keys(not).length === 0 ? 'Never' : 'Not'
    if (Object.keys(fields).every((key) => isNote(key))) return 'Unknown'
    throw new ContractError(path, 'has no type; write one with Type.…')
  }
  const kind = typeof type === 'string' && Object.hasOwn(TYPES, type) ? TYPES[type] : undefined
  if (kind === undefined) throw new ContractError(at(path, 'type'), 'is no type of JSON Schema')
  if (kind === 'Object' && fields['patternProperties'] !== undefined) return 'Record'
  if (kind === 'Array' && (Array.isArray(fields['items']) || fields['maxItems'] === 0)) return 'Tuple'
  return kind
}

/** Refuses keywords that are each right and wrong together, and those that TypeBox would not check. */
function refuseContradiction(kind: KindName, read: Fields, path: string): void {
  if (kind === 'Object') {
    const properties = read['properties']
    if (!isFields(properties)) {
      throw new ContractError(
        path,
        'says no properties; for any of them write Type.Record(Type.String(), Type.Unknown())',
      )
    }
    for (const name of requiredOf(read)) {
      if (!Object.hasOwn(properties, name))
        throw new ContractError(at(path, 'required'), `names ${name}, no property`)
    }
  }
  if (kind === 'Array') {
    if (read['items'] === undefined) throw new ContractError(path, 'says no items; write Type.Array(…)')
    if (read['contains'] === undefined && (read['minContains'] ?? read['maxContains']) !== undefined) {
      throw new ContractError(path, 'counts what it contains without `contains`; add it')
    }
  }
  if (kind === 'Tuple') {
    const length = Array.isArray(read['items']) ? read['items'].length : 0
    const closed = length === 0 || read['additionalItems'] === false
    if (!closed || read['minItems'] !== length || read['maxItems'] !== length) {
      throw new ContractError(path, 'is a tuple of no fixed length; write Type.Tuple([…])')
    }
  }
  if (kind === 'Import') {
    const definitions = read['$defs']
    if (!isFields(definitions) || !Object.hasOwn(definitions, String(read['$ref']))) {
      throw new ContractError(at(path, '$ref'), 'names nothing in $defs; import it from its Type.Module')
    }
  }
}

const requiredOf = (read: Fields): readonly string[] => {
  const required = read['required']
  return Array.isArray(required) ? required : []
}

/** The properties, with TypeBox's mark on those that may be absent. */
function withOptional(read: Fields): Fields {
  const required = new Set(requiredOf(read))
  return Object.fromEntries(
    Object.entries(fieldsAt(read['properties'], '')).map(([name, property]) => {
      return [
        name,
        required.has(name) || !isFields(property) ? property : { ...property, [OptionalKind]: 'Optional' },
      ]
    }),
  )
}
