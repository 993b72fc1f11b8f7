/** What leaves: checked against its schema, then serialized from it, so that nothing undeclared is on the wire. */
import type { TSchema } from '@sinclair/typebox'
import type { ContractDefinition } from '../../contract/contract.js'
import { AckordError } from '../errors.js'
import { compileSerializer } from './serialize.js'
import { compileValidator } from './validate.js'

/** Turns a value into its JSON text. Throws ACKORD_INVALID_PAYLOAD where the value does not fit. */
export type Payload = (value: unknown) => string

/** Compiles check and serializer of one schema. */
export function compilePayload(contract: ContractDefinition, schema: TSchema): Payload {
  const validator = compileValidator(contract, schema)
  const serialize = compileSerializer(contract, schema)
  return (value) => {
    if (!validator.check(value)) {
      const { pointer, rule } = validator.explain(value)
      throw new AckordError('ACKORD_INVALID_PAYLOAD', `at ${JSON.stringify(pointer)}: ${rule}`)
    }
    return serialize(value)
  }
}
