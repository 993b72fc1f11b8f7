/** What a peer sent, as its schema says: with bytes in their places, whatever the codec. */
import type { TSchema } from '@sinclair/typebox'
import type { ContractDefinition } from '../../contract/contract.js'
import { resolveSchema } from '../../contract/schemas.js'
import { bytePlaces } from './bytes.js'
import { CallError } from './errors.js'
import { compileValidator } from './validate.js'

/**
 * Takes a value as a codec gave it. Throws an INVALID_INPUT. In text, bytes are their canonical base64; in binary they are bytes, and
 * stand nowhere else: neither is taken for the other. May change the value.
 */
export type Input = (value: unknown, binary: boolean) => unknown

/** Compiles one schema of a contract. Throws a ContractError for any other schema. */
export function compileInput(definition: ContractDefinition, schema: TSchema): Input {
  const validator = compileValidator(definition, schema)
  const places = bytePlaces(resolveSchema(definition, schema))
  return (sent, binary) => {
    const value = binary ? sent : places.revive(sent)
    if (!validator.check(value)) throw new CallError('INVALID_INPUT', validator.explain(value))
    // Where anything is allowed, or any key, TypeBox would let bytes through.
    if (binary && !places.holdAll(value)) throw new CallError('INVALID_INPUT', { pointer: '', rule: 'Bytes' })
    return value
  }
}
