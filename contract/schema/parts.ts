/** The schemas that a schema is made of. */
import { Kind, type TSchema } from '@sinclair/typebox'
import { isFields } from '../plain.js'
import { keywordsOfKind } from './keywords.js'

const ONE = ['additionalProperties', 'contains', 'items', 'not']
const LISTS = ['allOf', 'anyOf', 'items']
const MAPS = ['patternProperties', 'properties']

/** Told of a part, the keyword it stands under, and its name or index where the keyword holds several. */
export type VisitPart<T> = (part: TSchema, keyword: string, name?: string | number) => T

/** Whether a value is a schema with TypeBox's kind. */
export const isKinded = (value: unknown): value is TSchema => isFields(value) && Kind in value

/**
 * The keywords of a schema that hold schemas, each part replaced by what `visit` makes of it; names in
 * alphabetical order. Definitions of an Import are not its parts.
 */
export function mapParts<T>(schema: TSchema, visit: VisitPart<T>): Record<string, unknown> {
  const mapped: Record<string, unknown> = {}
  for (const keyword of ONE) {
    const part: unknown = schema[keyword]
    if (isKinded(part)) mapped[keyword] = visit(part, keyword)
  }
  for (const keyword of LISTS) {
    const list: unknown = schema[keyword]
    if (Array.isArray(list)) mapped[keyword] = list.filter(isKinded).map((part, i) => visit(part, keyword, i))
  }
  for (const keyword of MAPS) {
    const map: unknown = schema[keyword]
    if (isFields(map)) {
      mapped[keyword] = Object.fromEntries(
        namedParts(map).map(([name, part]) => [name, visit(part, keyword, name)] as const),
      )
    }
  }
  return mapped
}

/** The schemas of a map by name, in the order of their names' UTF-16 units: the same on every machine. */
export const namedParts = (map: object): ReadonlyArray<readonly [string, TSchema]> =>
  Object.entries(map)
    .filter((entry): entry is [string, TSchema] => isKinded(entry[1]))
    .sort(([a], [b]) => (a < b ? -1 : 1))

/** The keywords of a schema that its kind checks: no `$id`, no annotation. */
export const keywordsOf = (schema: TSchema): Record<string, unknown> =>
  Object.fromEntries(
    Object.keys(keywordsOfKind(schema[Kind]))
      .map((keyword): [string, unknown] => [keyword, schema[keyword]])
      .filter(([, value]) => value !== undefined),
  )

/** Every property name that schemas declare at any depth. */
export function declaredNames(schemas: readonly TSchema[], names = new Set<string>()): ReadonlySet<string> {
  for (const schema of schemas) {
    mapParts(schema, (part, keyword, name) => {
      if (keyword === 'properties') names.add(String(name))
      declaredNames([part], names)
    })
  }
  return names
}
