/** Values to JSON, so that nothing undeclared leaves and no client must refuse what it gets. */
import type { TSchema } from '@sinclair/typebox'
import compileJson from 'fast-json-stringify'
import type { ContractDefinition } from '../../contract/contract.js'
import { serializerSchema } from '../../contract/schema/serializer.js'
import { resolveSchema } from '../../contract/schemas.js'
import { MAX_DEPTH, refuseUnsafe } from '../../contract/wire/codec.js'
import { compileClean } from './clean.js'
import { compileValidator, type Validator } from './validate.js'

/** Writes a value as JSON. Throws an UnsendableValue. */
export type Serialize = (value: unknown) => string

/** How deep a value may nest: a frame, and lists in it, stand around it. PROTOCOL.md § Frames. */
export const MAX_VALUE_DEPTH = MAX_DEPTH - 4

/** A value that is not what its schema says, or that a client would have to refuse. Never holds the value. */
export class UnsendableValue extends Error {
  /** JSON pointer (RFC 6901) to what is wrong. */
  readonly pointer: string
  /**
   * The rule it breaks, such as `StringMaxLength`; `Unsafe` for `__proto__`, too deep a nesting, a cycle, and
   * whatever else cannot be written (`cause` says what).
   */
  readonly rule: string
  constructor(pointer: string, rule: string, options?: ErrorOptions) {
    super(`the value breaks its schema at ${pointer === '' ? 'its root' : pointer}: ${rule}`, options)
    this.name = 'UnsendableValue'
    this.pointer = pointer
    this.rule = rule
  }
}

/**
 * The serializer of a schema of a contract. It checks each value, and compiles at the first one: whatever
 * could fail has failed in `defineContract`. Throws a ContractError for any other schema.
 */
export function compileSerializer(definition: ContractDefinition, schema: TSchema): Serialize {
  const validator = compileValidator(definition, schema)
  let write: Serialize | undefined
  return (value) => {
    try {
      if (!validator.check(value)) throw brokenRule(validator, value)
      write ??= compileWriter(definition, schema)
      return write(value)
    } catch (error) {
      throw error instanceof UnsendableValue ? error : new UnsendableValue('', 'Unsafe', { cause: error })
    }
  }
}

function brokenRule(validator: Validator, value: unknown): UnsendableValue {
  const { pointer, rule } = validator.explain(value)
  return new UnsendableValue(pointer, rule)
}

function compileWriter(definition: ContractDefinition, schema: TSchema): Serialize {
  const plan = serializerSchema(definition, schema)
  if (plan.kind === 'compiled') return compileJson(plan.schema)
  const clean = compileClean(resolveSchema(definition, schema))
  return (value) => {
    const copy = clean(value)
    // Only here can a value bring bytes where none are declared, nest without end, or have keys of its own.
    refuseBytes(copy, MAX_VALUE_DEPTH)
    refuseUnsafe(copy, MAX_VALUE_DEPTH)
    // Nothing at all is what Type.Unknown() lets through and JSON does not have.
    return JSON.stringify(copy) ?? 'null'
  }
}

// What JSON.stringify would make of them, an object of numbers, is nothing that anybody means.
function refuseBytes(value: unknown, depth: number): void {
  if (typeof value !== 'object' || value === null) return
  if (depth === 0) throw new UnsendableValue('', 'Unsafe')
  if (value instanceof Uint8Array) throw new UnsendableValue('', 'Bytes')
  for (const member of Object.values(value)) refuseBytes(member, depth - 1)
}
