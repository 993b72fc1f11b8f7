/** What leaves: checked against its schema and serialized from it, so that nothing undeclared is on the wire. */
import type { TSchema } from '@sinclair/typebox'
import type { ContractDefinition } from '../../contract/contract.js'
import { resolveSchema } from '../../contract/schemas.js'
import { AckordError } from '../errors.js'
import type { Codecs, Pack } from '../gateway/core.js'
import { bytePlaces, hasPlaces } from './bytes.js'
import { compileSerializer, UnsendableValue } from './serialize.js'

/** Turns a value into its JSON text. Throws ACKORD_INVALID_PAYLOAD where the value does not fit, or no connection could hold it. */
export interface Payload {
  (value: unknown): string
  /** Makes the binary form of a frame that such a text is part of. */
  readonly pack: Pack
}

/** What a payload is compiled for: a `Mount`, or what publishes without serving. */
export interface PayloadHost {
  readonly contract: ContractDefinition
  readonly settings: { readonly maxBuffered: number }
  readonly gateway: { readonly codecs: Codecs }
}

/** Bytes that a frame needs beside its payload: names and keys are bounded. PROTOCOL.md § Frames. */
const OVERHEAD = 8192

/** The bytes of a codec for one unit of text, at most: UTF-8, or a number such as `1.5` in binary. */
const MOST_BYTES = 3

/** Which element of its frame a payload is. PROTOCOL.md § Frames. */
export const PLACE = { ACK: 2, ITEM: 2, EVENT: 2, FAIL: 3, PUBLICATION: 3 } as const

/**
 * Compiles one schema of a namespace; `what` names it in errors, such as `the ack of "message.send"`, and `place` is the element
 * that it is of its frame.
 */
export function compilePayload(
  { contract, settings, gateway }: PayloadHost,
  schema: TSchema,
  what: string,
  place: number = PLACE.ACK,
): Payload {
  const serialize = compileSerializer(contract, schema)
  const places = bytePlaces(resolveSchema(contract, schema))
  const pack = gateway.codecs.packer(place, hasPlaces(places) ? places.revive : undefined)
  // A frame above the bound would close every connection that it is for, and again after each reconnect.
  const most = settings.maxBuffered - OVERHEAD
  const refuse = (problem: string, cause?: unknown): never => {
    throw new AckordError('ACKORD_INVALID_PAYLOAD', `${what}: ${problem}`, { cause })
  }
  const sizeOf = (text: string): number =>
    Math.max(Buffer.byteLength(text), gateway.codecs.binary === undefined ? 0 : packedSize(text, place, pack))
  const write = (value: unknown): string => {
    try {
      const text = serialize(value)
      if (text.length * MOST_BYTES > most) {
        const size = sizeOf(text)
        if (size > most) return refuse(`${size} bytes do not fit maxBuffered`)
      }
      return text
    } catch (error) {
      if (!(error instanceof UnsendableValue)) throw error
      return refuse(`${error.pointer || 'the value'} breaks the rule ${error.rule}`, error)
    }
  }
  return Object.assign(write, { pack })
}

const packedSize = (text: string, place: number, pack: Pack): number =>
  pack(`[${'0,'.repeat(place)}${text}]`).byteLength
