/** Which schemas a compiled serializer does right, and what it is to compile. */
import { Kind, KindGuard, type TSchema } from '@sinclair/typebox'
import type { ContractDefinition } from '../contract.js'
import type { JsonObject } from '../plain.js'
import { resolveSchema } from '../schemas.js'
import { isScalar } from './expand.js'

/**
 * How to write values of a schema as JSON so that nothing undeclared leaves. `compiled`: plain JSON Schema
 * for fast-json-stringify, of objects with known keys, arrays and scalars, free of formats, references and
 * annotations. `cleaned`: copy what is declared, then JSON.stringify; for unions and intersections that a
 * value chooses from, for tuples, records, anything, and what contains itself.
 */
export type SerializerPlan =
  | { readonly kind: 'compiled'; readonly schema: JsonObject }
  | { readonly kind: 'cleaned' }

/** The plan for a schema of a contract. Throws a ContractError for any other schema. */
export function serializerSchema(definition: ContractDefinition, schema: TSchema): SerializerPlan {
  const plan = planOf(resolveSchema(definition, schema).schema)
  return plan === undefined ? { kind: 'cleaned' } : { kind: 'compiled', schema: plan }
}

/** What fast-json-stringify is given for a schema, `undefined` where it would do it wrong. */
function planOf(schema: TSchema): JsonObject | undefined {
  if (KindGuard.IsUnion(schema)) return unionPlan(schema.anyOf)
  if (isScalar(schema)) return { type: String(schema['type']) }
  if (KindGuard.IsArray(schema)) {
    const items = planOf(schema.items)
    return items && { type: 'array', items }
  }
  if (KindGuard.IsIntersect(schema)) return intersectPlan(schema.allOf)
  if (!KindGuard.IsObject(schema) || schema.additionalProperties) return undefined
  const properties: Record<string, JsonObject> = {}
  for (const [name, property] of Object.entries(schema.properties)) {
    if (property[Kind] === 'Never') continue
    const plan = planOf(property)
    if (plan === undefined) return undefined
    properties[name] = plan
  }
  // No `required`: the value has been checked, and an absent property is then one that may be absent.
  return { type: 'object', properties }
}

/** Scalars by their type, and one object or array or null; other unions need a look at the value. */
function unionPlan(members: readonly TSchema[]): JsonObject | undefined {
  const scalars = members.flatMap(flat)
  if (scalars.every(isScalar))
    return { type: [...new Set(scalars.map((member) => String(member['type'])))].sort() }
  const rest = scalars.filter((member) => member[Kind] !== 'Null')
  const plan = rest[0] && rest.length === 1 ? planOf(rest[0]) : undefined
  return plan && { ...plan, nullable: true }
}

const flat = (schema: TSchema): TSchema[] =>
  KindGuard.IsUnion(schema) ? schema.anyOf.flatMap(flat) : [schema]

/** Objects with known keys become one, where they agree on the keys they share. */
function intersectPlan(members: readonly TSchema[]): JsonObject | undefined {
  const merged: Record<string, JsonObject> = {}
  for (const member of members) {
    const properties = planOf(member)?.['properties']
    if (properties === undefined || member[Kind] === 'Union') return undefined
    for (const [name, plan] of Object.entries(properties as Record<string, JsonObject>)) {
      if (Object.hasOwn(merged, name) && JSON.stringify(merged[name]) !== JSON.stringify(plan))
        return undefined
      merged[name] = plan
    }
  }
  return { type: 'object', properties: merged }
}
