/** A namespace's rooms, compiled once at the start: keys, payloads, who may join. */
import type { EventDelivery, RoomDefinition } from '../../contract/contract.js'
import { MAX_TEXT } from '../../contract/wire/index.js'
import { compilePayload, compileValidator, type Payload, PLACE, type Validator } from '../calls/index.js'
import { AckordError } from '../errors.js'
import type { Identity, Mount } from '../gateway/index.js'
import type { RoomLog } from './broker.js'

/** Bytes of history kept where the contract does not say. */
const HISTORY_BYTES = 1_048_576

/** What a `join` handler sees beside the params. */
export interface AnyJoinContext {
  readonly user: Identity
  readonly connection: unknown
}

/** A `join` handler as the plugin sees it; its typed face is `JoinHandler` in plugins/namespace/types.ts. */
export type AnyJoin = (params: unknown, context: AnyJoinContext) => unknown

/** One event of a room, ready to publish. */
export interface CompiledRoomEvent {
  readonly name: string
  readonly payload: Payload
  readonly delivery: EventDelivery
  /** Of which property the newest value is kept. */
  readonly key: string | undefined
}

/** One kind of room. */
export interface CompiledRoom {
  readonly name: string
  readonly params: Validator
  readonly events: ReadonlyMap<string, CompiledRoomEvent>
  readonly log: RoomLog
  readonly join: AnyJoin
  /** The key of the room with these params, which must be valid: the same on every node. PROTOCOL.md § Rooms. */
  keyOf(params: unknown): string
}

/** Compiles every room. Throws ACKORD_HANDLER_MISSING, ACKORD_HANDLER_UNKNOWN. */
export function compileRooms(mount: Mount): ReadonlyMap<string, CompiledRoom> {
  const parts = new Map(Object.entries((mount.part('rooms') ?? {}) as Record<string, { join?: unknown }>))
  const table = new Map<string, CompiledRoom>()
  for (const [name, definition] of Object.entries(mount.contract.rooms ?? {})) {
    const join = parts.get(name)?.join
    if (typeof join !== 'function') {
      throw new AckordError('ACKORD_HANDLER_MISSING', `rooms[${JSON.stringify(name)}].join of ${mount.path}`)
    }
    table.set(name, compileRoom(mount, name, definition, join as AnyJoin))
    parts.delete(name)
  }
  const [unknown] = parts.keys()
  if (unknown !== undefined)
    throw new AckordError('ACKORD_HANDLER_UNKNOWN', `rooms[${JSON.stringify(unknown)}]`)
  return table
}

function compileRoom(mount: Mount, name: string, definition: RoomDefinition, join: AnyJoin): CompiledRoom {
  const properties = Object.keys(definition.params.properties).sort()
  const events = Object.entries(definition.events).map(([event, spec]): [string, CompiledRoomEvent] => [
    event,
    {
      name: event,
      payload: compilePayload(
        mount,
        spec.payload,
        `the event ${JSON.stringify(event)} of room ${JSON.stringify(name)}`,
        PLACE.PUBLICATION,
      ),
      delivery: spec.delivery ?? 'volatile',
      key: spec.key,
    },
  ])
  const { history } = definition
  return {
    name,
    params: compileValidator(mount.contract, definition.params),
    events: new Map(events),
    log: { history: history && { ...history, bytes: history.bytes ?? HISTORY_BYTES } },
    join,
    keyOf(params) {
      const values = params as Readonly<Record<string, unknown>>
      const declared: Array<[string, unknown]> = []
      for (const property of properties) {
        if (values[property] !== undefined) declared.push([property, values[property]])
      }
      return `${name}${JSON.stringify(declared)}`
    },
  }
}

/** The key of params that may not fit. Throws ACKORD_INVALID_PARAMS. */
export function checkedKey(room: CompiledRoom, params: unknown): string {
  if (!room.params.check(params)) {
    const { pointer, rule } = room.params.explain(params)
    throw new AckordError('ACKORD_INVALID_PARAMS', `${room.name} at ${JSON.stringify(pointer)}: ${rule}`)
  }
  const key = room.keyOf(params)
  if (key.length > MAX_TEXT)
    throw new AckordError('ACKORD_INVALID_PARAMS', `${room.name}: over ${MAX_TEXT} characters`)
  return key
}
