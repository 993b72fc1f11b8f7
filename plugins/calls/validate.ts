/** Whether a value is what its schema says, and where it is not. */
import type { TSchema } from '@sinclair/typebox'
import { type TypeCheck, TypeCompiler, ValueErrorType } from '@sinclair/typebox/compiler'
import type { ContractDefinition } from '../../contract/contract.js'
import type { ExpandedSchema } from '../../contract/schema/expand.js'
import { declaredNames } from '../../contract/schema/parts.js'
import { resolveSchema } from '../../contract/schemas.js'
import type { InvalidInput } from '../../contract/wire/errors.js'

/** The longest pointer of an explanation, in UTF-16 units; a longer one ends at the segment before. */
export const MAX_POINTER = 256

/** Checks values against one schema. */
export interface Validator {
  check(value: unknown): boolean
  /**
   * Where a value that `check` refuses breaks which rule; for values that pass, the rule is `None`. Names no
   * key that the schema does not declare, and never the value.
   */
  explain(value: unknown): InvalidInput
}

const compiled = new WeakMap<ExpandedSchema, Validator>()

/**
 * The validator of a schema of a contract; one for each schema. Compiled by its first `check`: whatever
 * could fail has failed in `defineContract`. Throws a ContractError for any other schema.
 */
export function compileValidator(definition: ContractDefinition, schema: TSchema): Validator {
  const expanded = resolveSchema(definition, schema)
  const known = compiled.get(expanded)
  if (known !== undefined) return known
  let typeCheck: TypeCheck<TSchema> | undefined
  let names: ReadonlySet<string> | undefined
  const compile = (): TypeCheck<TSchema> => {
    typeCheck ??= TypeCompiler.Compile(expanded.schema, expanded.references)
    return typeCheck
  }
  const validator: Validator = {
    check: (value) => (typeCheck ?? compile()).Check(value),
    explain(value) {
      const error = compile().Errors(value).First()
      if (error === undefined) return { pointer: '', rule: 'None' }
      names ??= declaredNames([expanded.schema, ...expanded.references])
      return {
        pointer: declaredPart(error.path, value, names),
        rule: ValueErrorType[error.type] ?? 'Unknown',
      }
    },
  }
  compiled.set(expanded, validator)
  return validator
}

/** A JSON pointer (RFC 6901) as far as it names what the schema declares, and not what the peer wrote. */
function declaredPart(pointer: string, value: unknown, names: ReadonlySet<string>): string {
  let told = ''
  let place: unknown = value
  for (const segment of pointer.split('/').slice(1)) {
    const key = segment.replaceAll('~1', '/').replaceAll('~0', '~')
    if (!Array.isArray(place) && !names.has(key)) break
    if (told.length + 1 + segment.length > MAX_POINTER) break
    told += `/${segment}`
    place = typeof place === 'object' && place !== null ? Reflect.get(place, key) : undefined
  }
  return told
}
