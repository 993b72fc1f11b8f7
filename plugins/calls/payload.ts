/** What leaves: checked against its schema and serialized from it, so that nothing undeclared is on the wire. */
import type { TSchema } from '@sinclair/typebox'
import type { ContractDefinition } from '../../contract/contract.js'
import { AckordError } from '../errors.js'
import { compileSerializer, UnsendableValue } from './serialize.js'

/** Turns a value into its JSON text. Throws ACKORD_INVALID_PAYLOAD where the value does not fit. */
export type Payload = (value: unknown) => string

/** Compiles one schema of a contract. */
export function compilePayload(contract: ContractDefinition, schema: TSchema): Payload {
  const serialize = compileSerializer(contract, schema)
  return (value) => {
    try {
      return serialize(value)
    } catch (error) {
      if (!(error instanceof UnsendableValue)) throw error
      throw new AckordError('ACKORD_INVALID_PAYLOAD', `at ${JSON.stringify(error.pointer)}: ${error.rule}`, {
        cause: error,
      })
    }
  }
}
