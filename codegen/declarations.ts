/** The named types of a generated file: one for each `$id`, and one for each place where a schema stands. */
import { ContractError } from '../contract/errors.js'
import { type Names, nameOfId } from './identifiers.js'
import { isSchema, type JsonSchema, remarks, subschemas } from './json-schema.js'
import { block, bodyOf, type Naming, type TypeText, typeOf } from './schema-to-type.js'
import { comment } from './text.js'

/** Declares types as they are asked for. */
export interface Declarations {
  /** The name of a schema's type: its `$id`'s where it has one, else `place`, which is declared for it. */
  declare(place: string, schema: JsonSchema): string
  /** The type of a schema as an expression; what has to be named inside is named after `place`. */
  inline(place: string, schema: JsonSchema): string
  /** Declares an interface under `place`, or its next free name; returns the name. */
  declareInterface(place: string, members: readonly string[]): string
  /** What was declared so far, in order. */
  readonly list: readonly string[]
}

/**
 * Starts with a type for every `$id` in `schemas`, in order of appearance. A recursive schema without an `$id` of its
 * author's gets a number from TypeBox that depends on what was loaded before: it is named after its place instead.
 */
export function createDeclarations(schemas: readonly JsonSchema[], names: Names): Declarations {
  const list: string[] = []
  const contract = createScope()

  const declareIds = (found: readonly Identified[], wanted: (id: string) => string): void => {
    const fresh: Identified[] = []
    for (const each of found) {
      if (each.scope.names.has(each.id)) continue
      each.scope.names.set(each.id, names.unique(wanted(each.id)))
      fresh.push(each)
    }
    for (const { id, schema, scope } of fresh) print(scope.of(id), schema, scope)
  }
  const print = (name: string, schema: JsonSchema, scope: Scope): void => {
    declareIds(
      subschemas(schema).flatMap((inner) => identified(inner, innerScope(schema, scope))),
      () => `${name}Node`,
    )
    list.push(comment(remarks(schema)) + declaration(name, bodyOf(schema, scope)))
  }

  declareIds(
    schemas.flatMap((schema) => identified(schema, contract)).filter(({ id }) => !/^T\d+$/.test(id)),
    nameOfId,
  )
  return {
    list,
    declare(place, schema) {
      const id = schema['$id']
      if (typeof id === 'string') {
        declareIds([{ id, schema, scope: contract }], () => place)
        return contract.of(id)
      }
      const name = names.unique(place)
      print(name, schema, contract)
      return name
    },
    inline(place, schema) {
      declareIds(identified(schema, contract), () => `${place}Node`)
      return typeOf(schema, contract).text
    },
    declareInterface(place, members) {
      const name = names.unique(place)
      list.push(interfaceOf(name, members))
      return name
    },
  }
}

/** An exported interface; without members the type of an object that has none. */
export function interfaceOf(name: string, members: readonly string[]): string {
  return members.length === 0
    ? `export type ${name} = Record<never, never>`
    : `export interface ${name} ${block(members)}`
}

/** The names known in a contract, or below a module's `$defs`. */
interface Scope extends Naming {
  readonly names: Map<string, string>
  within(definitions: JsonSchema): Scope
}

function createScope(outer?: Naming): Scope {
  const names = new Map<string, string>()
  // Every import of a module brings a copy of its definitions.
  const modules = new Map<string, Scope>()
  const scope: Scope = {
    names,
    of(id) {
      const name = names.get(id)
      if (name !== undefined) return name
      if (outer !== undefined) return outer.of(id)
      throw new ContractError(`$ref '${id}'`, 'no schema of the contract has this $id')
    },
    within(definitions) {
      const key = JSON.stringify(definitions)
      const known = modules.get(key) ?? createScope(scope)
      modules.set(key, known)
      return known
    },
  }
  return scope
}

interface Identified {
  readonly id: string
  readonly schema: JsonSchema
  readonly scope: Scope
}

/** All schemas with an `$id` in a schema, outer ones first. */
function identified(schema: JsonSchema, scope: Scope): Identified[] {
  const inner = innerScope(schema, scope)
  const below = subschemas(schema).flatMap((each) => identified(each, inner))
  const id = schema['$id']
  return typeof id === 'string' ? [{ id, schema, scope }, ...below] : below
}

function innerScope(schema: JsonSchema, scope: Scope): Scope {
  return isSchema(schema['$defs']) ? scope.within(schema['$defs']) : scope
}

function declaration(name: string, type: TypeText): string {
  return type.members === undefined ? `export type ${name} = ${type.text}` : interfaceOf(name, type.members)
}
