/**
 * The form in which a schema is checked, serialized and hashed: annotations and names taken out, references
 * written out where they end, keys in one order whatever the author's. Only what contains itself stays a
 * reference (T0, T1, …).
 */
import { Kind, PatternStringExact, type TSchema, Type } from '@sinclair/typebox'
import { ContractError } from '../errors.js'
import { isFields } from '../plain.js'
import { MAX_NESTING, MAX_PARTS } from './from-json.js'
import { checkedKeywords, isKinded, mapParts, namedParts } from './parts.js'
import { lookUp, type Scope, scopeOfImport, type Target } from './references.js'

/** A schema that stands alone: what it refers to is beside it, each with its `$id`. */
export interface ExpandedSchema {
  readonly schema: TSchema
  readonly references: TSchema[]
}

/**
 * Expands a schema that `fromJsonSchema` has read. Throws a ContractError where the expanded form is too deep
 * or too large.
 */
export function expand(root: TSchema, scope: Scope, path: string): ExpandedSchema {
  const names = new Map<TSchema, string>()
  const references: TSchema[] = []
  let parts = 0

  function part(schema: TSchema, scope: Scope, depth: number): TSchema {
    parts += 1
    if (parts > MAX_PARTS)
      throw new ContractError(path, `has more than ${MAX_PARTS} parts, references written out`)
    const named = schema.$id === undefined ? undefined : lookUp(scope, schema.$id)
    return named === undefined ? body(schema, scope, depth) : target(named, depth)
  }

  function target(found: Target, depth: number): TSchema {
    if (!found.recursive) return body(found.schema, found.scope, depth)
    const known = names.get(found.schema)
    if (known !== undefined) return kinded('Ref', { $ref: known })
    const name = `T${names.size}`
    names.set(found.schema, name)
    const place = references.push(found.schema) - 1
    references[place] = { ...body(found.schema, found.scope, MAX_NESTING), $id: name }
    return kinded('Ref', { $ref: name })
  }

  function body(schema: TSchema, scope: Scope, depth: number): TSchema {
    if (depth === 0) {
      throw new ContractError(
        path,
        `is nested deeper than ${MAX_NESTING}, references written out; flatten it`,
      )
    }
    if (schema[Kind] === 'Import' || schema[Kind] === 'Ref') {
      const inner = schema[Kind] === 'Import' ? scopeOfImport(schema, scope) : scope
      const found = lookUp(inner, String(schema['$ref']))
      if (found === undefined)
        throw new ContractError(path, `refers to ${String(schema['$ref'])}, which is no $id here`)
      return target(found, depth)
    }
    return normal(
      schema,
      mapParts(schema, (inner) => part(inner, scope, depth - 1)),
    )
  }

  return { schema: part(root, scope, MAX_NESTING), references }
}

/** A part in its normal form, its own parts being so already. */
function normal(schema: TSchema, parts: Record<string, unknown>): TSchema {
  const kind = schema[Kind]
  const fields = Object.assign(checkedKeywords(schema), parts)
  if (kind === 'Intersect') delete fields['type']
  if (kind === 'Record' && isFields(parts['patternProperties'])) {
    // `.` matches no line end: a key with one would pass unchecked.
    const [pattern, value] = Object.entries(parts['patternProperties'])[0] ?? []
    if (pattern === PatternStringExact) {
      const { patternProperties: _, ...rest } = fields
      return kinded('Object', { ...rest, properties: {}, additionalProperties: value })
    }
  }
  return kinded(kind, kind === 'Object' ? objectFields(fields) : fields)
}

/** Comparisons before walks: quick to refuse, and a union inside a recursion is not walked 2^depth times. */
function objectFields(fields: Record<string, unknown>): object {
  const { properties, required, additionalProperties, ...rest } = fields
  const named = namedParts(Object(properties))
  const ordered = [
    ...named.filter(([, part]) => isScalar(part)),
    ...named.filter(([, part]) => !isScalar(part)),
  ]
  const open = isKinded(additionalProperties) && additionalProperties[Kind] === 'Unknown'
  return {
    ...rest,
    properties: Object.fromEntries(ordered),
    ...(Array.isArray(required) && required.length > 0 && { required: required.toSorted() }),
    ...(additionalProperties !== undefined && { additionalProperties: open ? true : additionalProperties }),
  }
}

const SCALARS = ['Boolean', 'Integer', 'Literal', 'Null', 'Number', 'String']

/** Whether every value of an expanded schema is a string, a number, a boolean or null. */
export const isScalar = (schema: TSchema): boolean =>
  schema[Kind] === 'Union' ? schema['anyOf'].every(isScalar) : SCALARS.includes(schema[Kind])

const kinded = (kind: string, fields: object): TSchema => Type.Unsafe(Object.assign(fields, { [Kind]: kind }))
