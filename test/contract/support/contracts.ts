/** Contracts for tests: the smallest there is, and one around a schema. */
import { type TSchema, Type } from '@sinclair/typebox'
import { type Contract, type ContractDefinition, defineContract } from '../../../contract/contract.js'
import { ContractError } from '../../../contract/errors.js'
import { shared } from './kinds.js'

/** A contract of the given parts and nothing else. */
export const contractOf = (parts: Partial<ContractDefinition>): Contract =>
  defineContract<ContractDefinition>({ name: 'test', version: '1.0.0', ...parts })

/** A contract whose only call has this input; what the rows of `kinds` refer to stands beside it. */
export const contractAround = (input: TSchema): Contract =>
  contractOf({ calls: { it: { input, ack: Type.Tuple([...shared]) } } })

/** What a ContractError said where one was thrown. */
export function refusal(attempt: () => unknown): { readonly path: string; readonly message: string } {
  try {
    attempt()
  } catch (error) {
    if (error instanceof ContractError) return { path: error.path, message: error.message }
    throw error
  }
  throw new Error('nothing was refused')
}
