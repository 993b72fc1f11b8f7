/** Copies of values that hold what their schema declares, for schemas that no compiled serializer does right. */
import { Kind, KindGuard, type TSchema } from '@sinclair/typebox'
import { TypeCompiler } from '@sinclair/typebox/compiler'
import type { ExpandedSchema } from '../../contract/schema/expand.js'
import { toBase64 } from './bytes.js'

/** Copies a value that has been checked as JSON has it: bytes as their base64, what the schema does not declare left out. */
export type Clean = (value: unknown) => unknown

type Properties = Record<string, unknown>

const whole: Clean = (value) => value
const base64: Clean = (value) => (value instanceof Uint8Array ? toBase64(value) : value)

const isObject = (value: unknown): value is Properties =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array)

/**
 * Compiles the copy for one schema. Declared is what any matching member of a union declares, and what any
 * member of an intersection does; `additionalProperties: true` and Type.Unknown() declare everything.
 */
export function compileClean({ schema, references }: ExpandedSchema): Clean {
  const recursive = new Map<string, Clean>()

  function clean(part: TSchema): Clean {
    if (KindGuard.IsUint8Array(part)) return base64
    if (KindGuard.IsObject(part)) return objectOf(part.properties, part.additionalProperties)
    if (KindGuard.IsRecord(part))
      return recordOf(part.patternProperties, part['additionalProperties'] === true)
    if (KindGuard.IsArray(part)) {
      const item = clean(part.items)
      return item === whole ? whole : (value) => (Array.isArray(value) ? value.map(item) : value)
    }
    if (KindGuard.IsTuple(part)) {
      const items = (part.items ?? []).map(clean)
      return (value) => (Array.isArray(value) ? items.map((item, i) => item(value[i])) : value)
    }
    if (KindGuard.IsUnion(part)) return unionOf(part.anyOf)
    if (KindGuard.IsIntersect(part)) return intersectOf(part.allOf)
    if (KindGuard.IsRef(part)) return (value) => (recursive.get(part.$ref) ?? whole)(value)
    return whole
  }

  function objectOf(properties: Record<string, TSchema>, additional: TSchema | boolean | undefined): Clean {
    const declared = Object.entries(properties).map(([name, property]) => [name, clean(property)] as const)
    const rest = additional === true ? whole : additional ? clean(additional) : undefined
    return (value) => {
      if (!isObject(value)) return value
      const copy: Properties = {}
      for (const [name, copyOf] of declared) {
        const property = value[name]
        if (property !== undefined) copy[name] = copyOf(property)
      }
      if (rest === undefined) return copy
      for (const [key, property] of Object.entries(value)) {
        if (!Object.hasOwn(properties, key)) define(copy, key, rest(property))
      }
      return copy
    }
  }

  function recordOf(patterns: Record<string, TSchema>, open: boolean): Clean {
    const [[pattern, property] = ['', undefined]] = Object.entries(patterns)
    const test = new RegExp(pattern)
    const copyOf = property === undefined ? whole : clean(property)
    return (value) => {
      if (!isObject(value)) return value
      const copy: Properties = {}
      for (const [key, field] of Object.entries(value)) {
        if (test.test(key)) define(copy, key, copyOf(field))
        else if (open) define(copy, key, field)
      }
      return copy
    }
  }

  function unionOf(parts: readonly TSchema[]): Clean {
    const members = parts.map((part) => ({
      copyOf: clean(part),
      check: TypeCompiler.Compile(part, references),
    }))
    if (members.every(({ copyOf }) => copyOf === whole)) return whole
    return (value) => {
      if (typeof value !== 'object') return value
      const copies = members.filter(({ check }) => check.Check(value)).map(({ copyOf }) => copyOf(value))
      // For TypeBox, bytes are an object as well.
      if (value instanceof Uint8Array) return copies.find((copy) => typeof copy === 'string')
      return copies.length === 0 ? undefined : copies.reduce(together)
    }
  }

  function intersectOf(parts: readonly TSchema[]): Clean {
    // A member that declares nothing of its own, such as Type.Not, must not bring back what the others leave out.
    const members = parts.filter((part) => !['Unknown', 'Not'].includes(part[Kind])).map(clean)
    return members.length === 0 ? whole : (value) => members.map((member) => member(value)).reduce(together)
  }

  for (const reference of references) recursive.set(String(reference.$id), clean(reference))
  return clean(schema)
}

/** What either of two copies of one value holds. */
function together(a: unknown, b: unknown): unknown {
  if (Array.isArray(a) && Array.isArray(b)) return a.map((element: unknown, i) => together(element, b[i]))
  if (!isObject(a) || !isObject(b)) return b
  const copy: Properties = { ...a }
  for (const [key, value] of Object.entries(b)) {
    define(copy, key, Object.hasOwn(a, key) ? together(a[key], value) : value)
  }
  return copy
}

/** Sets an own property whatever its name: assigning `__proto__` would set the prototype and hide the key. */
function define(target: Properties, key: string, value: unknown): void {
  if (key === '__proto__') Object.defineProperty(target, key, { value, enumerable: true, configurable: true })
  else target[key] = value
}
