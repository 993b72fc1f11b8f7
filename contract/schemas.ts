/** All schemas of a contract, read once: for its check, its hash, and whoever compiles them. */
import type { TSchema } from '@sinclair/typebox'
import type { ContractDefinition } from './contract.js'
import { ContractError } from './errors.js'
import { readDefinition } from './read.js'
import { holdsBytes, refuseUnclearBytes } from './schema/bytes.js'
import { type ExpandedSchema, expand } from './schema/expand.js'
import { registerFormats } from './schema/formats.js'
import { fromJsonSchema } from './schema/from-json.js'
import { collectTargets, followReferences, markRecursion, type Scope } from './schema/references.js'

/** A contract whose schemas have been read and whose references lead somewhere. */
export interface ContractSchemas {
  /** The definition with TypeBox's kind on every part of every schema, also where plain JSON Schema was written. */
  readonly definition: ContractDefinition
  /**
   * The form in which a schema of this contract (an input, an ack, a payload, …) is compiled. The same object
   * for the same schema. Throws a ContractError for any other.
   */
  readonly expand: (schema: TSchema) => ExpandedSchema
  /** Whether some schema has bytes in it. */
  readonly carriesBytes: boolean
}

const cache = new WeakMap<ContractDefinition, ContractSchemas>()

/**
 * Reads the schemas of a contract; a second call with the same object gives the same answer. Throws a
 * ContractError for anything that is no contract or that the wire cannot carry.
 */
export function schemasOf(definition: ContractDefinition): ContractSchemas {
  const known = cache.get(definition)
  if (known !== undefined) return known
  registerFormats()
  const scope: Scope = { targets: new Map() }
  const roots = new Map<unknown, { readonly schema: TSchema; readonly path: string }>()
  const read = readDefinition(definition, (written, path) => {
    const root = roots.get(written) ?? { schema: fromJsonSchema(written, path), path }
    if (!roots.has(written)) collectTargets(root.schema, () => path, scope)
    roots.set(written, root)
    return root.schema
  })
  for (const { schema, path } of roots.values()) followReferences(schema, () => path, scope)
  markRecursion(scope)

  const expanded = new Map<unknown, ExpandedSchema>()
  for (const [written, { schema, path }] of roots) {
    const made = expand(schema, scope, path)
    refuseUnclearBytes(made, path)
    expanded.set(written, made).set(schema, made)
  }
  const schemas: ContractSchemas = {
    definition: read,
    carriesBytes: [...expanded.values()].some(holdsBytes),
    expand(schema) {
      const made = expanded.get(schema)
      if (made === undefined) throw new ContractError('schema', `is not one of contract ${read.name}'s own`)
      return made
    },
  }
  cache.set(definition, schemas)
  return schemas
}

/** Lets a contract use what has been read of the definition it was made of. */
export function shareSchemas(definition: ContractDefinition, contract: ContractDefinition): void {
  cache.set(contract, schemasOf(definition))
}

/**
 * A schema of a contract, with what it refers to, as `TypeCompiler.Compile(schema, references)` takes it;
 * works for plain JSON Schema (Type.Unsafe), references, recursive types and modules alike.
 */
export const resolveSchema = (definition: ContractDefinition, schema: TSchema): ExpandedSchema =>
  schemasOf(definition).expand(schema)

/** Whether a contract has `Type.Uint8Array()` anywhere: its own clients then speak the binary codec. */
export const carriesBytes = (definition: ContractDefinition): boolean => schemasOf(definition).carriesBytes
