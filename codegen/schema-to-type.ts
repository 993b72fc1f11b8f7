/**
 * JSON Schema → TypeScript type text: one small transform per kind of schema. What TypeBox's `Static` infers is what
 * is printed, as far as JSON Schema still says it (a template literal is a `string` here).
 *
 * An optional property is printed `a?: T | undefined`: JSON drops `undefined`, so under exactOptionalPropertyTypes
 * an input may be written `{ replyTo: selected?.id }`; without that option it makes no difference.
 */
import { isSchema, type JsonSchema, remarks } from './json-schema.js'
import { comment, indent, propertyKey, quote } from './text.js'

/** How the types of schemas with an `$id` are called at a place. */
export interface Naming {
  /** The type that an `$id`, or a `$ref` to it, stands for. Throws where no schema has it. */
  of(id: string): string
  /** The naming inside a schema that brings these `$defs` (a TypeBox module): they hide what is around. */
  within(definitions: JsonSchema): Naming
}

/** The text of a type. */
export interface TypeText {
  readonly text: string
  /** Needs parentheses as an element of an array or of a stronger operator. */
  readonly operator?: '|' | '&'
  /** Of an object type: its members, so that it can be an interface. */
  readonly members?: readonly string[]
}

/** The type of a schema: the name of its `$id`, or its body. */
export function typeOf(schema: unknown, naming: Naming): TypeText {
  if (isSchema(schema) && typeof schema['$id'] === 'string') return atom(naming.of(schema['$id']))
  return bodyOf(schema, naming)
}

/** The type of a schema, spelled out even where it has an `$id`: what the name stands for. */
export function bodyOf(schema: unknown, naming: Naming): TypeText {
  if (schema === false) return never
  if (!isSchema(schema)) return unknown
  const inner = isSchema(schema['$defs']) ? naming.within(schema['$defs']) : naming
  return intersection([
    ref(schema, inner),
    literals(schema),
    alternatives(schema, inner),
    combination(schema, inner),
    negation(schema),
    byType(schema, inner),
  ])
}

/** Longer types are broken into lines. */
const WIDTH = 90

const atom = (text: string): TypeText => ({ text })
const unknown = atom('unknown')
const never = atom('never')
const emptyObject = atom('Record<string, never>')

function ref(schema: JsonSchema, naming: Naming): TypeText {
  return typeof schema['$ref'] === 'string' ? atom(naming.of(schema['$ref'])) : unknown
}

function literals(schema: JsonSchema): TypeText {
  if ('const' in schema) return literal(schema['const'])
  return Array.isArray(schema['enum']) ? union(schema['enum'].map(literal)) : unknown
}

function literal(value: unknown): TypeText {
  if (typeof value === 'string') return atom(quote(value))
  if (Array.isArray(value)) return atom(`[${value.map((item) => literal(item).text).join(', ')}]`)
  if (isSchema(value)) {
    return object(Object.entries(value).map(([key, item]) => `${propertyKey(key)}: ${literal(item).text}`))
  }
  return atom(JSON.stringify(value) ?? 'undefined')
}

function alternatives(schema: JsonSchema, naming: Naming): TypeText {
  const listed = schema['anyOf'] ?? schema['oneOf']
  return Array.isArray(listed) ? union(listed.map((each) => typeOf(each, naming))) : unknown
}

function combination(schema: JsonSchema, naming: Naming): TypeText {
  const listed = schema['allOf']
  return Array.isArray(listed) ? intersection(listed.map((each) => typeOf(each, naming))) : unknown
}

/** TypeBox writes `never` as `{ not: {} }`; no other negation can be said in a type. */
function negation(schema: JsonSchema): TypeText {
  const not = schema['not']
  return not === true || (isSchema(not) && Object.keys(not).length === 0) ? never : unknown
}

function byType(schema: JsonSchema, naming: Naming): TypeText {
  if ('const' in schema || 'enum' in schema) return unknown
  const type = schema['type']
  if (Array.isArray(type)) return union(type.map((each) => byType({ ...schema, type: each }, naming)))
  switch (type) {
    case 'string':
    case 'number':
    case 'boolean':
    case 'null':
      return atom(type)
    case 'integer':
      return atom('number')
    case 'Uint8Array':
      return atom('Uint8Array')
    case 'array':
      return arrayType(schema, naming)
    case 'object':
      return objectType(schema, naming)
    default:
      return unknown
  }
}

function arrayType(schema: JsonSchema, naming: Naming): TypeText {
  const { items, prefixItems, additionalItems, maxItems, minItems } = schema
  const places = Array.isArray(prefixItems) ? prefixItems : Array.isArray(items) ? items : undefined
  if (places === undefined) return maxItems === 0 ? atom('[]') : atom(`${inside(typeOf(items, naming))}[]`)
  const required = typeof minItems === 'number' ? minItems : 0
  const parts = places.map((each, index) => {
    const text = typeOf(each, naming)
    return index < required ? text.text : `${inside(text)}?`
  })
  const rest = Array.isArray(prefixItems) ? items : additionalItems
  const closed = rest === false || (typeof maxItems === 'number' && maxItems <= places.length)
  if (!closed) parts.push(`...${inside(typeOf(rest, naming))}[]`)
  return atom(`[${parts.join(', ')}]`)
}

function objectType(schema: JsonSchema, naming: Naming): TypeText {
  const { properties, patternProperties, additionalProperties } = schema
  const isCombined = '$ref' in schema || 'allOf' in schema || 'anyOf' in schema || 'oneOf' in schema
  if (isCombined && properties === undefined && patternProperties === undefined) return unknown

  const required = new Set(Array.isArray(schema['required']) ? schema['required'] : [])
  const types: TypeText[] = []
  const members = Object.entries(isSchema(properties) ? properties : {}).map(([name, property]) => {
    const plain = typeOf(property, naming)
    const type = required.has(name) ? plain : union([plain, atom('undefined')])
    types.push(type)
    const about = isSchema(property) && !('$id' in property) ? comment(remarks(property)) : ''
    return `${about}${propertyKey(name)}${required.has(name) ? '' : '?'}: ${type.text}`
  })

  const others = isSchema(patternProperties) ? Object.values(patternProperties) : []
  if (isSchema(additionalProperties) || additionalProperties === true) others.push(additionalProperties)
  if (others.length > 0) {
    // Declared properties fall under an index signature as well.
    const type = union([...others.map((each) => typeOf(each, naming)), ...types])
    members.push(`[key: string]: ${type.text}`)
  }
  if (members.length > 0) return object(members)
  return properties === undefined && additionalProperties !== false
    ? object(['[key: string]: unknown'])
    : emptyObject
}

function object(members: readonly string[]): TypeText {
  if (members.length === 0) return emptyObject
  const line = `{ ${members.join('; ')} }`
  const text = line.length > WIDTH || line.includes('\n') ? block(members) : line
  return { text, members }
}

/** Members of an object type, one a line. */
export const block = (members: readonly string[]): string =>
  `{\n${members.map((each) => `${indent(each)}\n`).join('')}}`

function union(types: readonly TypeText[]): TypeText {
  const parts = distinct(types).filter(({ text }) => text !== 'never')
  if (parts.some(({ text }) => text === 'unknown')) return unknown
  const [first] = parts
  if (first === undefined) return never
  if (parts.length === 1) return first
  return {
    text: joined(
      parts.map((each) => each.text),
      '|',
    ),
    operator: '|',
  }
}

function intersection(types: readonly TypeText[]): TypeText {
  const parts = distinct(types).filter(({ text }) => text !== 'unknown')
  if (parts.some(({ text }) => text === 'never')) return never
  // `Record<string, never>` would forbid the properties of the other parts.
  const full = parts.filter((each) => each !== emptyObject)
  const [first] = full
  if (first === undefined) return parts[0] ?? unknown
  if (full.length === 1) return first
  return {
    text: joined(
      full.map((each) => (each.operator === '|' ? inside(each) : each.text)),
      '&',
    ),
    operator: '&',
  }
}

function distinct(types: readonly TypeText[]): TypeText[] {
  return [...new Map(types.map((each) => [each.text, each])).values()]
}

function joined(parts: readonly string[], operator: '|' | '&'): string {
  const line = parts.join(` ${operator} `)
  if (line.length <= WIDTH) return line
  return parts.map((each) => indent(`\n${operator} ${indent(each).trimStart()}`)).join('')
}

function inside(type: TypeText): string {
  return type.operator === undefined ? type.text : `(${type.text})`
}
