/** The schemas that a schema is made of. */
import { Kind, type TSchema } from '@sinclair/typebox'
import { isFields } from '../plain.js'
import { keywordsOfKind } from './keywords.js'

/** The keywords of each kind that hold schemas: one, a list or a map of them. Other kinds have no parts. */
const HOLDERS = new Map<string, readonly string[]>([
  ['Object', ['properties', 'additionalProperties']],
  ['Record', ['patternProperties']],
  ['Array', ['items', 'contains']],
  ['Tuple', ['items']],
  ['Union', ['anyOf']],
  ['Intersect', ['allOf']],
  ['Not', ['not']],
])
const NONE: readonly string[] = []

/** Told of a part, the keyword it stands under, and its name or index where the keyword holds several. */
export type VisitPart<T> = (part: TSchema, keyword: string, name?: string | number) => T

/** Whether a value is a schema with TypeBox's kind. */
export const isKinded = (value: unknown): value is TSchema =>
  typeof value === 'object' && value !== null && Kind in value

/**
 * The keywords of a schema that hold schemas, each part replaced by what `visit` makes of it; names in
 * alphabetical order. Definitions of an Import are not its parts.
 */
export function mapParts<T>(schema: TSchema, visit: VisitPart<T>): Record<string, unknown> {
  const mapped: Record<string, unknown> = {}
  for (const keyword of HOLDERS.get(schema[Kind]) ?? NONE) {
    const held: unknown = schema[keyword]
    if (isKinded(held)) mapped[keyword] = visit(held, keyword)
    else if (Array.isArray(held)) mapped[keyword] = held.map((part: TSchema, i) => visit(part, keyword, i))
    else if (isFields(held)) {
      mapped[keyword] = Object.fromEntries(
        namedParts(held).map(([name, part]) => [name, visit(part, keyword, name)]),
      )
    }
  }
  return mapped
}

/** Visits the parts of a schema, in no order. Definitions of an Import are not its parts. */
export function eachPart(schema: TSchema, visit: VisitPart<void>): void {
  for (const keyword of HOLDERS.get(schema[Kind]) ?? NONE) {
    const held: unknown = schema[keyword]
    if (isKinded(held)) visit(held, keyword)
    else if (Array.isArray(held)) {
      held.forEach((part: TSchema, i) => {
        visit(part, keyword, i)
      })
    } else if (isFields(held)) {
      for (const [name, part] of Object.entries(held)) if (isKinded(part)) visit(part, keyword, name)
    }
  }
}

/** The schemas of a map by name, in the order of their names' UTF-16 units: the same on every machine. */
export const namedParts = (map: object): Array<[string, TSchema]> =>
  Object.entries(map)
    .filter((entry): entry is [string, TSchema] => isKinded(entry[1]))
    .sort(byName)

/** Orders entries by the UTF-16 units of their names. */
export const byName = ([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number =>
  a < b ? -1 : 1

/** What a schema's kind checks, keywords always in one order: no `$id`, no annotation. */
export function checkedKeywords(schema: TSchema): Record<string, unknown> {
  const checked: Record<string, unknown> = {}
  for (const keyword of Object.keys(keywordsOfKind(schema[Kind]))) {
    const value: unknown = schema[keyword]
    if (value !== undefined) checked[keyword] = value
  }
  return checked
}

/** Every property name that schemas declare at any depth. */
export function declaredNames(schemas: readonly TSchema[], names = new Set<string>()): ReadonlySet<string> {
  for (const schema of schemas) {
    eachPart(schema, (part, keyword, name) => {
      if (keyword === 'properties') names.add(String(name))
      declaredNames([part], names)
    })
  }
  return names
}
