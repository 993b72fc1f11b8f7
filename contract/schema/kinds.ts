/** Which of TypeBox's kinds a schema is, also where only plain JSON Schema says so. */
import { Hint, Kind, OptionalKind, ReadonlyKind, TransformKind } from '@sinclair/typebox'
import { ContractError } from '../errors.js'
import { at, type Fields, isFields } from '../plain.js'
import { annotationReader, INSTEAD, isKnownKind, type KindName } from './keywords.js'

/** What JSON does not have, by TypeBox's name for it, and what to write instead. */
const NOT_JSON: Readonly<Record<string, string>> = {
  AsyncIterator: 'make the call a stream (`item`)',
  Constructor: 'JSON has no constructors',
  Date: "write Type.Integer() (milliseconds) or Type.String({ format: 'date-time' })",
  Function: 'JSON has no functions',
  Iterator: 'write Type.Array(…)',
  Promise: 'write what it resolves to; handlers may be async',
  RegExp: 'write Type.String({ pattern })',
  bigint: "write Type.String({ pattern: '^-?[0-9]+$' })",
  symbol: 'write Type.Literal(…)',
  undefined: 'write Type.Optional(…), or leave the schema out',
  void: 'leave `ack` out',
}

/** Kinds that are another kind with a name for TypeBox's types only. */
const ALIASES: readonly string[] = ['Any', 'This', 'TemplateLiteral', 'Unsafe']
const TYPEBOX_SYMBOLS: readonly symbol[] = [Kind, Hint, OptionalKind, ReadonlyKind]

/** Whether a keyword constrains nothing. */
const isNote = (keyword: string): boolean => keyword === '$id' || annotationReader(keyword) !== undefined

/** Throws a ContractError for what only symbols tell: transforms, kinds of others, types not yet computed. */
export function refuseForeignKind(value: Fields, path: string): void {
  for (const symbol of Object.getOwnPropertySymbols(value)) {
    if (symbol === TransformKind) {
      throw new ContractError(
        path,
        'is a Transform: the wire carries what it decodes; convert in the handler',
      )
    }
    if (!TYPEBOX_SYMBOLS.includes(symbol)) {
      throw new ContractError(path, `has a symbol that is not TypeBox's: ${String(symbol)}; take it out`)
    }
  }
  const kind: unknown = Reflect.get(value, Kind)
  const known = kind === undefined || isKnownKind(String(kind)) || ALIASES.includes(String(kind))
  // The types JSON does not have are refused by name, with what to write instead.
  if (known || notJson(value['type']) !== undefined) return
  if (kind === 'Computed')
    throw new ContractError(path, 'needs the Type.Module of its Type.Ref: import it from there')
  throw new ContractError(
    path,
    `is of kind ${String(kind)}, which the wire does not know; write Type.Unsafe(…)`,
  )
}

const notJson = (type: unknown): string | undefined =>
  typeof type === 'string' && Object.hasOwn(NOT_JSON, type) ? NOT_JSON[type] : undefined

/** Writes the short forms of JSON Schema (enum, null as a const, lists of types) out as TypeBox would. */
export function unfold(fields: Fields, path: string): Fields {
  if (fields['enum'] !== undefined) return unfoldEnum(fields, path)
  if (fields['const'] !== undefined) return unfoldConst(fields, path)
  return Array.isArray(fields['type']) ? unfoldTypes(fields, fields['type']) : fields
}

function unfoldEnum({ type, enum: values, ...rest }: Fields, path: string): Fields {
  if (!Array.isArray(values) || values.length === 0) {
    throw new ContractError(at(path, 'enum'), 'must be a list of at least one value')
  }
  return {
    ...rest,
    anyOf: values.map((each) => (type === undefined ? { const: each } : { type, const: each })),
  }
}

function unfoldConst(fields: Fields, path: string): Fields {
  const { type, const: value, ...rest } = fields
  if (value === null) return { ...rest, type: 'null' }
  const own = typeof value
  if (type === own) return fields
  if (type !== undefined && !(type === 'integer' && Number.isInteger(value))) {
    throw new ContractError(at(path, 'type'), `must be ${JSON.stringify(own)}, as the const is`)
  }
  return { ...rest, type: own, const: value }
}

function unfoldTypes({ type: _, ...rest }: Fields, types: readonly unknown[]): Fields {
  const notes = Object.entries(rest).filter(([key]) => isNote(key))
  const constraints = Object.fromEntries(Object.entries(rest).filter(([key]) => !isNote(key)))
  return {
    ...Object.fromEntries(notes),
    anyOf: types.map((type) => (type === 'null' ? { type } : { ...constraints, type })),
  }
}

const TYPES: Readonly<Record<string, KindName>> = {
  null: 'Null',
  boolean: 'Boolean',
  string: 'String',
  number: 'Number',
  integer: 'Integer',
  object: 'Object',
  array: 'Array',
  // No type of JSON Schema: TypeBox's own, which the wire carries as bytes, or as base64 in JSON.
  Uint8Array: 'Uint8Array',
}

/** What makes a schema of one kind and no other, in the order in which to look. */
const SIGNS = [
  ['$defs', 'Import'],
  ['$ref', 'Ref'],
  ['anyOf', 'Union'],
  ['allOf', 'Intersect'],
  ['const', 'Literal'],
] as const satisfies ReadonlyArray<readonly [string, KindName]>

/** The kind of a schema whose short forms are written out. Throws a ContractError where JSON has none such. */
export function kindOf(fields: Fields, path: string): KindName {
  const type = fields['type']
  const advice = notJson(type)
  if (advice !== undefined)
    throw new ContractError(path, `is of type ${String(type)}, which JSON does not have: ${advice}`)
  for (const [keyword, kind] of SIGNS) if (fields[keyword] !== undefined) return kind
  if (type === undefined) {
    const not = fields['not']
    if (not !== undefined) return isFields(not) && Object.keys(not).length === 0 ? 'Never' : 'Not'
    // Keywords with an advice of their own are refused by it, one by one.
    if (Object.keys(fields).every((key) => isNote(key) || Object.hasOwn(INSTEAD, key))) return 'Unknown'
    throw new ContractError(path, 'has no type; write one with Type.…')
  }
  const kind = typeof type === 'string' && Object.hasOwn(TYPES, type) ? TYPES[type] : undefined
  if (kind === undefined) throw new ContractError(at(path, 'type'), 'is no type of JSON Schema')
  if (kind === 'Object' && fields['patternProperties'] !== undefined) return 'Record'
  if (kind === 'Array' && isTuple(fields)) return 'Tuple'
  return kind
}

/** TypeBox writes the empty tuple without items. */
const isTuple = ({ items, maxItems }: Fields): boolean =>
  items === undefined ? maxItems === 0 : Array.isArray(items)
