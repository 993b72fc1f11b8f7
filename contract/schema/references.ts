/** What `$ref` leads to: the `$id`s of a contract, and those of each Type.Module that is imported in it. */
import { Kind, type TSchema } from '@sinclair/typebox'
import { ContractError } from '../errors.js'
import { at } from '../plain.js'
import { checkedKeywords, eachPart, mapParts, namedParts } from './parts.js'

/** A schema that a `$ref` may lead to. */
export interface Target {
  readonly schema: TSchema
  /** Where the references inside it are looked up. */
  readonly scope: Scope
  /** Whether it contains itself. Known once its scope's references have been followed. */
  recursive: boolean
  readonly path: string
}

/** The targets that are known at a place, by `$id`; then those of the place around it. */
export interface Scope {
  readonly targets: Map<string, Target>
  readonly outer?: Scope
}

const importScopes = new WeakMap<TSchema, Scope>()

/** The scope inside an Import; that of its place where it has none of its own. */
export const scopeOfImport = (schema: TSchema, around: Scope): Scope => importScopes.get(schema) ?? around

/** The target of an `$id`, `undefined` where nothing has it. */
export function lookUp(scope: Scope, id: string): Target | undefined {
  return scope.targets.get(id) ?? (scope.outer && lookUp(scope.outer, id))
}

/** Where a schema stands; asked for only where something is told of it. */
export type PathOf = () => string

/** Notes every `$id` in a schema. Throws a ContractError where two different schemas have one. */
export function collectTargets(schema: TSchema, path: PathOf, scope: Scope): void {
  if (typeof schema.$id === 'string') register(schema.$id, schema, path, scope)
  if (schema[Kind] === 'Import') {
    const inner: Scope = { targets: new Map(), outer: scope }
    importScopes.set(schema, inner)
    for (const [name, definition] of namedParts(Object(schema['$defs']))) {
      const place = () => at(at(path(), '$defs'), name)
      register(name, definition, place, inner)
      collectTargets(definition, place, inner)
    }
  }
  eachPart(schema, (part, keyword, name) => {
    collectTargets(part, () => placeOf(path(), keyword, name), scope)
  })
}

/**
 * Follows every `$ref` in a schema. Throws a ContractError where one leads nowhere, or where following them
 * leads back without a property or item between: no check of such a schema would end.
 */
export function followReferences(schema: TSchema, path: PathOf, scope: Scope): void {
  if (schema[Kind] === 'Ref' && lookUp(scope, String(schema['$ref'])) === undefined) {
    throw new ContractError(
      at(path(), '$ref'),
      `no schema of this contract has the $id ${JSON.stringify(schema['$ref'])}`,
    )
  }
  if (schema[Kind] === 'Import') {
    const inner = scopeOfImport(schema, scope)
    for (const [name, definition] of namedParts(Object(schema['$defs']))) {
      followReferences(definition, () => at(at(path(), '$defs'), name), inner)
    }
    markRecursion(inner)
  }
  eachPart(schema, (part, keyword, name) => {
    followReferences(part, () => placeOf(path(), keyword, name), scope)
  })
}

/** Finds out which targets of a scope contain themselves, once all their references lead somewhere. */
export function markRecursion(scope: Scope): void {
  for (const target of scope.targets.values()) {
    if (reaches(target, target.schema, everyKeyword)) target.recursive = true
    if (target.recursive && reaches(target, target.schema, sameValue)) {
      throw new ContractError(
        target.path,
        'refers to itself without a property or an item between; put one there',
      )
    }
  }
}

const everyKeyword = (): boolean => true
/** Keywords whose schemas look at the same value as the schema around them. */
const sameValue = (keyword: string): boolean => ['allOf', 'anyOf', 'not'].includes(keyword)

function reaches(from: Target, goal: TSchema, through: (keyword: string) => boolean): boolean {
  const seen = new Set<TSchema>()
  const waiting: Target[] = [from]
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    for (const found of referredTo(next.schema, next.scope, through)) {
      if (found.schema === goal) return true
      if (!seen.has(found.schema)) waiting.push(found)
      seen.add(found.schema)
    }
  }
  return false
}

function referredTo(schema: TSchema, scope: Scope, through: (keyword: string) => boolean): Target[] {
  const isImport = schema[Kind] === 'Import'
  if (isImport || schema[Kind] === 'Ref') {
    const found = lookUp(isImport ? scopeOfImport(schema, scope) : scope, String(schema['$ref']))
    return found === undefined ? [] : [found]
  }
  const found: Target[] = []
  eachPart(schema, (part, keyword) => {
    if (through(keyword)) found.push(...referredTo(part, scope, through))
  })
  return found
}

function register(id: string, schema: TSchema, path: PathOf, scope: Scope): void {
  const known = scope.targets.get(id)
  if (known === undefined) {
    scope.targets.set(id, { schema, scope, recursive: false, path: path() })
  } else if (known.schema !== schema && shape(known.schema) !== shape(schema)) {
    throw new ContractError(
      at(path(), '$id'),
      `${JSON.stringify(id)} is another schema at ${known.path}; rename one`,
    )
  }
}

const shapes = new WeakMap<TSchema, string>()

/** What a schema checks, as text: equal for schemas that differ in annotations only. */
function shape(schema: TSchema): string {
  const bare = (part: TSchema): object => ({ ...checkedKeywords(part), ...mapParts(part, bare) })
  const text = shapes.get(schema) ?? JSON.stringify(bare(schema))
  shapes.set(schema, text)
  return text
}

const placeOf = (path: string, keyword: string, name?: string | number): string =>
  name === undefined ? at(path, keyword) : at(at(path, keyword), name)
