/** Whether a contract makes sense. What its schemas may be is said in schema.ts and keywords.ts. */
import { KindGuard, type TSchema } from '@sinclair/typebox'
import type {
  CallDefinition,
  ContractDefinition,
  EventDefinition,
  HistoryDefinition,
  RoomDefinition,
} from './contract.js'
import { ContractError } from './errors.js'
import { checkErrorCode, checkNames } from './names.js'
import { at, refuseBadName } from './plain.js'
import { isScalar } from './schema/expand.js'
import { type ContractSchemas, schemasOf } from './schemas.js'

/** How many calls, events and rooms a contract may name, the events of its rooms included. */
export const MAX_NAMES = 2000

/** The bounds of the history of a room or an inbox, both included. */
export const HISTORY_BOUNDS = {
  messages: [1, 100_000],
  seconds: [1, 604_800],
  bytes: [1, 67_108_864],
} as const satisfies Record<keyof HistoryDefinition, readonly [number, number]>

/**
 * Throws a ContractError for a contract that cannot be served: its `path` is the offending key, its message
 * says what to do.
 */
export function checkContract(definition: ContractDefinition): void {
  const schemas = schemasOf(definition)
  const { name, version, calls = {}, events = {}, rooms = {}, inbox } = schemas.definition
  refuseBadName(name, 'name')
  refuseBadName(version, 'version')
  const lists = [calls, events, rooms, ...Object.values(rooms).map((room) => room.events)].map(Object.keys)
  const names = lists.reduce((sum, list) => sum + list.length, 0)
  if (names > MAX_NAMES) {
    throw new ContractError(
      'contract',
      `names ${names} calls, events and rooms; at most ${MAX_NAMES}: split it`,
    )
  }
  checkNames(Object.keys(calls), 'calls')
  for (const [key, call] of Object.entries(calls)) checkCall(call, at('calls', key))
  checkNames(Object.keys(events), 'events')
  for (const [key, event] of Object.entries(events)) checkEvent(event, at('events', key), schemas)
  checkNames(Object.keys(rooms), 'rooms')
  for (const [key, room] of Object.entries(rooms)) checkRoom(room, at('rooms', key), schemas)
  if (inbox !== undefined) checkInbox(inbox, Object.values(events))
}

function checkCall(call: CallDefinition, path: string): void {
  for (const code of Object.keys(call.errors ?? {})) checkErrorCode(code, at(at(path, 'errors'), code))
  if (call.delivery === 'volatile') {
    const answered = call.ack ? 'ack' : call.errors ? 'errors' : call.item ? 'item' : undefined
    if (answered !== undefined) {
      throw new ContractError(
        at(path, answered),
        "a 'volatile' call is not answered: leave it out, or the delivery",
      )
    }
  }
  if (call.item !== undefined && call.delivery !== undefined && call.delivery !== 'attempt') {
    throw new ContractError(
      at(path, 'delivery'),
      "a stream (`item`) is of delivery 'attempt': its items cannot be sent again",
    )
  }
}

function checkEvent(
  event: EventDefinition,
  path: string,
  schemas: ContractSchemas,
  room?: RoomDefinition,
): void {
  if (event.ack !== undefined && event.delivery === 'recoverable') {
    throw new ContractError(
      at(path, 'ack'),
      'a recoverable event is told, not asked: leave its ack or its delivery out',
    )
  }
  if (event.ack !== undefined && room !== undefined) {
    throw new ContractError(
      at(path, 'ack'),
      'events of rooms have no ack: move the event to `events`, or make it a call',
    )
  }
  if (event.delivery === 'recoverable' && room !== undefined && room.history === undefined) {
    throw new ContractError(at(path, 'delivery'), 'needs a log: give the room a `history`')
  }
  if (event.delivery === 'latest') checkLatest(event, path, schemas, room)
  else if (event.key !== undefined) {
    throw new ContractError(
      at(path, 'key'),
      "belongs to delivery 'latest': leave it out, or change the delivery",
    )
  }
}

function checkLatest(
  event: EventDefinition,
  path: string,
  schemas: ContractSchemas,
  room?: RoomDefinition,
): void {
  if (room === undefined) {
    throw new ContractError(at(path, 'delivery'), "'latest' is kept by a room: move the event into one")
  }
  if (event.key === undefined) {
    throw new ContractError(
      at(path, 'key'),
      "'latest' needs the property of the payload by which the newest is kept",
    )
  }
  const { schema } = schemas.expand(event.payload)
  if (!KindGuard.IsObject(schema)) {
    throw new ContractError(
      at(path, 'payload'),
      "'latest' needs a payload of Type.Object, which has the key as a property",
    )
  }
  const property = Object.hasOwn(schema.properties, event.key) ? schema.properties[event.key] : undefined
  if (property === undefined || !(schema.required ?? []).includes(event.key)) {
    throw new ContractError(at(path, 'key'), 'must be a required property of the payload')
  }
  if (!isScalar(property) || types(property).some((type) => type === 'boolean' || type === 'null')) {
    throw new ContractError(at(path, 'key'), 'must be a property that is a string or a number')
  }
}

/** The JSON types of a scalar. */
const types = (schema: TSchema): string[] =>
  KindGuard.IsUnion(schema) ? schema.anyOf.flatMap(types) : [String(schema['type'])]

function checkRoom(room: RoomDefinition, path: string, schemas: ContractSchemas): void {
  checkParams(room, at(path, 'params'), schemas)
  if (room.history !== undefined) checkHistory(room.history, at(path, 'history'))
  checkNames(Object.keys(room.events), at(path, 'events'))
  for (const [key, event] of Object.entries(room.events)) {
    checkEvent(event, at(at(path, 'events'), key), schemas, room)
  }
}

function checkParams(room: RoomDefinition, path: string, schemas: ContractSchemas): void {
  const { schema } = schemas.expand(room.params)
  const open: unknown = schema['additionalProperties']
  if (open !== undefined && open !== false) {
    throw new ContractError(
      at(path, 'additionalProperties'),
      'params make the key of the room: name each of them',
    )
  }
  for (const [name, property] of Object.entries(KindGuard.IsObject(schema) ? schema.properties : {})) {
    if (!isScalar(property) || types(property).includes('null')) {
      throw new ContractError(
        at(at(path, 'properties'), name),
        'must be a string, number, boolean, literal or a union of them: params make the key of the room',
      )
    }
  }
}

function checkInbox(inbox: HistoryDefinition, events: readonly EventDefinition[]): void {
  checkHistory(inbox, 'inbox')
  if (!events.some(({ delivery }) => delivery === 'recoverable')) {
    throw new ContractError(
      'inbox',
      "would stay empty: no event of `events` is 'recoverable'; give one that delivery, or leave it out",
    )
  }
}

function checkHistory(history: HistoryDefinition, path: string): void {
  for (const [key, [least, most]] of Object.entries(HISTORY_BOUNDS) as Array<
    [keyof HistoryDefinition, readonly [number, number]]
  >) {
    const value = history[key]
    if (value !== undefined && (value < least || value > most)) {
      throw new ContractError(at(path, key), `must be from ${least} to ${most}`)
    }
  }
}
