/** Any value to a definition: every key and kind of value is looked at, nothing of what they mean. */
import { KindGuard, type TObject, type TSchema } from '@sinclair/typebox'
import type {
  CallDefinition,
  CallDelivery,
  ContractDefinition,
  EventDefinition,
  EventDelivery,
  HistoryDefinition,
  RoomDefinition,
} from './contract.js'
import { ContractError } from './errors.js'
import { at, type Fields, fieldsAt, textAt } from './plain.js'
import type { ReadSchema } from './schema/keywords.js'

const CALL_DELIVERIES = ['attempt', 'repeat', 'once', 'volatile'] as const satisfies readonly CallDelivery[]
const EVENT_DELIVERIES = ['volatile', 'latest', 'recoverable'] as const satisfies readonly EventDelivery[]

/** The keys of a contract. `hash` is what defineContract adds; it is made anew, never believed. */
const CONTRACT_KEYS = ['name', 'version', 'description', 'calls', 'events', 'rooms', 'inbox', 'hash']

/**
 * Reads what may be a contract. Each schema in it goes through `readSchema` once, with its path. Throws a
 * ContractError for unknown keys, missing ones, and values of the wrong kind.
 */
export function readDefinition(value: unknown, readSchema: ReadSchema): ContractDefinition {
  const fields = fieldsAt(value, '', CONTRACT_KEYS)
  return {
    name: textAt(fields['name'], 'name'),
    version: textAt(fields['version'], 'version'),
    ...description(fields, ''),
    ...optional('calls', fields, '', (calls, path) =>
      mapOf(calls, path, (call, place) => readCall(call, place, readSchema)),
    ),
    ...optional('events', fields, '', (events, path) =>
      mapOf(events, path, (event, place) => readEvent(event, place, readSchema)),
    ),
    ...optional('rooms', fields, '', (rooms, path) =>
      mapOf(rooms, path, (room, place) => readRoom(room, place, readSchema)),
    ),
    ...optional('inbox', fields, '', readHistory),
  }
}

function readCall(value: unknown, path: string, readSchema: ReadSchema): CallDefinition {
  const fields = fieldsAt(value, path, ['description', 'input', 'ack', 'errors', 'item', 'delivery'])
  return {
    ...description(fields, path),
    input: needed('input', fields, path, readSchema),
    ...optional('ack', fields, path, readSchema),
    ...optional('errors', fields, path, (errors, place) => mapOf(errors, place, readSchema)),
    ...optional('item', fields, path, readSchema),
    ...optional('delivery', fields, path, (delivery, place) => oneOf(CALL_DELIVERIES, delivery, place)),
  }
}

function readEvent(value: unknown, path: string, readSchema: ReadSchema): EventDefinition {
  const fields = fieldsAt(value, path, ['description', 'payload', 'ack', 'delivery', 'key'])
  return {
    ...description(fields, path),
    payload: needed('payload', fields, path, readSchema),
    ...optional('ack', fields, path, readSchema),
    ...optional('delivery', fields, path, (delivery, place) => oneOf(EVENT_DELIVERIES, delivery, place)),
    ...optional('key', fields, path, textAt),
  }
}

function readRoom(value: unknown, path: string, readSchema: ReadSchema): RoomDefinition {
  const fields = fieldsAt(value, path, ['description', 'params', 'events', 'presence', 'history'])
  return {
    ...description(fields, path),
    params: objectOf(needed('params', fields, path, readSchema), at(path, 'params')),
    events: needed('events', fields, path, (events, place) =>
      mapOf(events, place, (event, below) => readEvent(event, below, readSchema)),
    ),
    ...optional('presence', fields, path, readSchema),
    ...optional('history', fields, path, readHistory),
  }
}

function readHistory(value: unknown, path: string): HistoryDefinition {
  const fields = fieldsAt(value, path, ['messages', 'seconds', 'bytes'])
  return {
    messages: needed('messages', fields, path, wholeAt),
    seconds: needed('seconds', fields, path, wholeAt),
    ...optional('bytes', fields, path, wholeAt),
  }
}

function wholeAt(value: unknown, path: string): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value))
    throw new ContractError(path, 'must be a whole number')
  return value
}

function objectOf(schema: TSchema, path: string): TObject {
  if (!KindGuard.IsObject(schema))
    throw new ContractError(path, 'must be a Type.Object, written here and not referred to')
  return schema
}

function oneOf<T extends string>(allowed: readonly T[], value: unknown, path: string): T {
  const found = allowed.find((each) => each === value)
  if (found === undefined) throw new ContractError(path, `must be one of '${allowed.join("', '")}'`)
  return found
}

const mapOf = <T>(
  value: unknown,
  path: string,
  read: (value: unknown, path: string) => T,
): Record<string, T> =>
  Object.fromEntries(
    Object.entries(fieldsAt(value, path)).map(([name, field]) => [name, read(field, at(path, name))]),
  )

function needed<T>(key: string, fields: Fields, path: string, read: (value: unknown, path: string) => T): T {
  if (fields[key] === undefined) throw new ContractError(at(path, key), 'is missing')
  return read(fields[key], at(path, key))
}

const optional = <K extends string, T>(
  key: K,
  fields: Fields,
  path: string,
  read: (value: unknown, path: string) => T,
): { readonly [P in K]?: T } =>
  // A computed key makes the type an index signature; the key is K.
  fields[key] === undefined ? {} : ({ [key]: read(fields[key], at(path, key)) } as { readonly [P in K]: T })

const description = (fields: Fields, path: string): { readonly description?: string } =>
  optional('description', fields, path, textAt)
