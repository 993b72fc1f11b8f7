/** The states of one kind of room: what a client sent as its schema says, and back. */
import type { TSchema } from '@sinclair/typebox'
import { resolveSchema } from '../../contract/schemas.js'
import { CLOSE, type CloseCode, FRAMES, STATE_BYTES, Violation } from '../../contract/wire/index.js'
import { bytePlaces, CallError, compileInput, compilePayload, hasPlaces } from '../calls/index.js'
import type { Mount, Pack } from '../gateway/index.js'

const TOO_LARGE: CloseCode = { ...CLOSE.TOO_BIG, reason: `presence above ${STATE_BYTES} bytes` }

/** See `compileStates`. */
export interface States {
  /** A state as a client sent it, with bytes in their places; undefined where it is none. */
  valid(state: unknown, binary: boolean): unknown
  /** Its JSON text, without what its schema does not declare. Throws a Violation, TOO_BIG, above `STATE_BYTES`. */
  textOf(state: unknown): string
  /** The value of such a text. */
  valueOf(text: string): unknown
  /** Makes the binary form of JOINED with presence. */
  readonly packJoined: Pack
  /** Makes the binary form of PRESENCE. */
  readonly packPresence: Pack
}

/** What to do with the states of a room. */
export function compileStates(mount: Mount, room: string, schema: TSchema): States {
  const input = compileInput(mount.contract, schema)
  const write = compilePayload(mount, schema, `the presence of room ${JSON.stringify(room)}`)
  const places = bytePlaces(resolveSchema(mount.contract, schema))
  const { codecs } = mount.gateway
  const revive = hasPlaces(places)
    ? (members: unknown): unknown => (Array.isArray(members) ? members.map(reviveMember) : members)
    : undefined
  const reviveMember = ([user, state, connections]: readonly unknown[]): unknown[] => [
    user,
    places.revive(state),
    connections,
  ]
  return {
    valid(state, binary) {
      try {
        return input(state, binary)
      } catch (error) {
        if (error instanceof CallError) return undefined
        throw error
      }
    },
    textOf(state) {
      const text = write(state)
      if (Buffer.byteLength(text) > STATE_BYTES) throw new Violation(TOO_LARGE)
      return text
    },
    valueOf: (text) => places.revive(JSON.parse(text)),
    packJoined: codecs.packer(JOINED_PRESENCE, revive),
    packPresence: codecs.packer([2, 3], revive),
  }
}

const JOINED_PRESENCE = FRAMES.JOINED.fields.length
