/** Plain JSON Schema to TypeBox schemas, with their kinds. What the wire cannot carry is refused with its path. */
import { Kind, OptionalKind, type TSchema, Type } from '@sinclair/typebox'
import { ContractError } from '../errors.js'
import { at, type Fields, fieldsAt, isFields, textAt } from '../plain.js'
import {
  annotationReader,
  INSTEAD,
  type KindName,
  keywordsOfKind,
  type ReadKeyword,
  type ReadSchema,
} from './keywords.js'
import { kindOf, refuseForeignKind, unfold } from './kinds.js'

/** How deep schemas may nest, counted in schemas. */
export const MAX_NESTING = 32
/** How many schemas one schema may consist of. */
export const MAX_PARTS = 10_000

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
  return Type.Unsafe(Object.assign(read, { [Kind]: kind }))
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
