/** What leaves: checked against its schema and serialized from it, so that nothing undeclared is on the wire. */
import type { TSchema } from '@sinclair/typebox'
import { AckordError } from '../errors.js'
import type { Mount } from '../gateway/index.js'
import { compileSerializer, UnsendableValue } from './serialize.js'

/** Turns a value into its JSON text. Throws ACKORD_INVALID_PAYLOAD where the value does not fit, or no connection could hold it. */
export type Payload = (value: unknown) => string

/** Bytes that a frame needs beside its payload: names and keys are bounded. PROTOCOL.md § Frames. */
const OVERHEAD = 8192

/** Compiles one schema of a namespace; `what` names it in errors, such as `the ack of "message.send"`. */
export function compilePayload({ contract, settings }: Mount, schema: TSchema, what: string): Payload {
  const serialize = compileSerializer(contract, schema)
  // A frame above the bound would close every connection that it is for, and again after each reconnect.
  const most = settings.maxBuffered - OVERHEAD
  const refuse = (problem: string, cause?: unknown): never => {
    throw new AckordError('ACKORD_INVALID_PAYLOAD', `${what}: ${problem}`, { cause })
  }
  return (value) => {
    try {
      const text = serialize(value)
      if (text.length * 3 > most && Buffer.byteLength(text) > most) {
        return refuse(`${Buffer.byteLength(text)} bytes do not fit maxBuffered`)
      }
      return text
    } catch (error) {
      if (!(error instanceof UnsendableValue)) throw error
      return refuse(`${error.pointer || 'the value'} breaks the rule ${error.rule}`, error)
    }
  }
}
