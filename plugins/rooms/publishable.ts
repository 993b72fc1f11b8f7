/** Rooms as far as publishing goes, compiled from a contract: keys, payloads, logs. Needs no app. */
import type {
  EventDefinition,
  EventDelivery,
  HistoryDefinition,
  RoomDefinition,
} from '../../contract/contract.js'
import { MAX_TEXT } from '../../contract/wire/index.js'
import {
  compilePayload,
  compileValidator,
  type Payload,
  type PayloadHost,
  PLACE,
  type Validator,
} from '../calls/core.js'
import { AckordError } from '../errors.js'
import type { Durability } from '../gateway/core.js'
import type { Outgoing, RoomLog } from './broker.js'

/** Bytes of history kept where the contract does not say. */
const HISTORY_BYTES = 1_048_576

/** What rooms are compiled for: a `Mount`, or what publishes without serving. */
export interface RoomHost extends PayloadHost {
  readonly settings: { readonly maxBuffered: number; readonly durability: Durability }
}

/** One event of a room, ready to publish. */
export interface CompiledRoomEvent {
  readonly name: string
  readonly payload: Payload
  readonly delivery: EventDelivery
  /** Of which property the newest value is kept. */
  readonly key: string | undefined
}

/** One kind of room. */
export interface PublishableRoom {
  readonly name: string
  readonly params: Validator
  readonly events: ReadonlyMap<string, CompiledRoomEvent>
  readonly log: RoomLog
  /** The key of the room with these params, which must be valid: the same on every node. PROTOCOL.md § Rooms. */
  keyOf(params: unknown): string
}

/** How to publish. */
export interface PublishRequest {
  /** The session that must not get it. */
  readonly except?: string | undefined
  /** Publish id: the same id again, within two minutes, is not published again. */
  readonly id?: string | undefined
}

/** Compiles one room of a contract. */
export function compilePublishable(
  host: RoomHost,
  name: string,
  definition: RoomDefinition,
): PublishableRoom {
  const properties = Object.keys(definition.params.properties).sort()
  return {
    name,
    params: compileValidator(host.contract, definition.params),
    events: compileEvents(host, definition.events, ` of room ${JSON.stringify(name)}`),
    log: logOf(host, definition.history),
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

/** Compiles events that leave as PUBLICATIONs; `where` goes behind their names in errors. */
export function compileEvents(
  host: RoomHost,
  events: Readonly<Record<string, EventDefinition>>,
  where: string,
): ReadonlyMap<string, CompiledRoomEvent> {
  const compiled = Object.entries(events).map(([name, spec]): [string, CompiledRoomEvent] => {
    const what = `the event ${JSON.stringify(name)}${where}`
    const payload = compilePayload(host, spec.payload, what, PLACE.PUBLICATION)
    return [name, { name, payload, delivery: spec.delivery ?? 'volatile', key: spec.key }]
  })
  return new Map(compiled)
}

/** What a broker must know of a room with this history. */
export function logOf({ settings }: RoomHost, history: HistoryDefinition | undefined): RoomLog {
  const { durability } = settings
  return {
    history: history && { ...history, bytes: history.bytes ?? HISTORY_BYTES },
    replicas: durability === 'memory' ? undefined : durability.replicated,
  }
}

/** The key of params that may not fit. Throws ACKORD_INVALID_PARAMS. */
export function checkedKey(room: PublishableRoom, params: unknown): string {
  if (!room.params.check(params)) {
    const { pointer, rule } = room.params.explain(params)
    throw new AckordError('ACKORD_INVALID_PARAMS', `${room.name} at ${JSON.stringify(pointer)}: ${rule}`)
  }
  const key = room.keyOf(params)
  if (key.length > MAX_TEXT)
    throw new AckordError('ACKORD_INVALID_PARAMS', `${room.name}: over ${MAX_TEXT} characters`)
  return key
}

/** What a broker calls a room: the namespaces of an app, and the apps of one prefix, share it. */
export const brokerRoom = (path: string, key: string): string => `${path} ${key}`

/** A payload on its way to the broker. Throws ACKORD_UNKNOWN_NAME, ACKORD_INVALID_PAYLOAD. */
export function outgoingOf(
  room: PublishableRoom,
  event: string,
  payload: unknown,
  { except, id }: PublishRequest,
): Outgoing {
  const compiled = room.events.get(event)
  if (compiled === undefined)
    throw new AckordError('ACKORD_UNKNOWN_NAME', `event ${event} of room ${room.name}`)
  return {
    event,
    delivery: compiled.delivery,
    payload: compiled.payload(payload),
    latestKey: compiled.key && String((payload as Readonly<Record<string, unknown>>)[compiled.key]),
    except,
    id,
  }
}
