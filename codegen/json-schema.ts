/** A JSON Schema as data: what it holds, and what it says beside a type. */

/** A JSON Schema, as data. */
export type JsonSchema = Readonly<Record<string, unknown>>

/** Whether a value can be a schema with keywords. */
export function isSchema(value: unknown): value is JsonSchema {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Every schema directly inside a schema: in the order of its keys. */
export function subschemas(schema: JsonSchema): JsonSchema[] {
  const found: unknown[] = []
  for (const [keyword, value] of Object.entries(schema)) {
    if (keyword === 'properties' || keyword === 'patternProperties' || keyword === '$defs') {
      if (isSchema(value)) found.push(...Object.values(value))
    } else if (holdSchemas.has(keyword)) {
      found.push(...(Array.isArray(value) ? value : [value]))
    }
  }
  return found.filter(isSchema)
}

const holdSchemas = new Set([
  ...['items', 'prefixItems', 'additionalItems', 'additionalProperties', 'unevaluatedProperties'],
  ...['anyOf', 'oneOf', 'allOf', 'not', 'contains'],
])

/** What a reader wants to know of a value and its type does not say: description and constraints. */
export function remarks(schema: JsonSchema): string[] {
  const lines: string[] = []
  if (typeof schema['description'] === 'string') lines.push(schema['description'])
  const bounds = constraints.filter(
    (keyword) => schema[keyword] !== undefined && !isTupleBound(schema, keyword),
  )
  if (bounds.length > 0) {
    lines.push(bounds.map((keyword) => `${keyword} ${JSON.stringify(schema[keyword])}`).join(', '))
  }
  if (schema['deprecated'] === true) lines.push('@deprecated')
  return lines
}

/** How many items a tuple has stands in its type. */
const isTupleBound = ({ items, prefixItems, maxItems }: JsonSchema, keyword: string): boolean =>
  (keyword === 'minItems' || keyword === 'maxItems') &&
  (Array.isArray(items) || prefixItems !== undefined || maxItems === 0)

const constraints = [
  ...['format', 'pattern', 'minLength', 'maxLength', 'minimum', 'maximum', 'exclusiveMinimum'],
  ...['exclusiveMaximum', 'multipleOf', 'minItems', 'maxItems', 'uniqueItems', 'minProperties'],
  ...['maxProperties', 'minByteLength', 'maxByteLength', 'default'],
]
