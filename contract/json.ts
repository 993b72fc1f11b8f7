/** A contract as plain JSON and back: for files, reports and tools that run without the contract's source. */
import type { TSchema } from '@sinclair/typebox'
import {
  type CallDefinition,
  type CallDelivery,
  type Contract,
  type ContractDefinition,
  defineContract,
  type EventDefinition,
  type EventDelivery,
  type HistoryDefinition,
  type RoomDefinition,
} from './contract.js'
import { ContractError } from './errors.js'
import { fieldsAt, type Json, type JsonObject } from './plain.js'
import { readDefinition } from './read.js'
import { fromJsonSchema } from './schema/from-json.js'
import { schemasOf } from './schemas.js'

export type { Json, JsonObject }

/** The version of the JSON form. */
const JSON_FORM = 1

/** A JSON Schema in the dialect that TypeBox writes. */
export type JsonSchema = JsonObject

/** A call as plain JSON. */
export interface CallJson {
  readonly description?: string
  readonly input: JsonSchema
  readonly ack?: JsonSchema
  readonly errors?: Readonly<Record<string, JsonSchema>>
  readonly item?: JsonSchema
  readonly delivery?: CallDelivery
}

/** An event as plain JSON. */
export interface EventJson {
  readonly description?: string
  readonly payload: JsonSchema
  readonly ack?: JsonSchema
  readonly delivery?: EventDelivery
  readonly key?: string
}

/** A room as plain JSON. */
export interface RoomJson {
  readonly description?: string
  readonly params: JsonSchema
  readonly events: Readonly<Record<string, EventJson>>
  readonly presence?: JsonSchema
  readonly history?: HistoryDefinition
}

/** A contract as plain JSON: the keys of its source, and the version of this form. */
export interface ContractJson {
  readonly ackord: typeof JSON_FORM
  readonly name: string
  readonly version: string
  readonly description?: string
  readonly calls?: Readonly<Record<string, CallJson>>
  readonly events?: Readonly<Record<string, EventJson>>
  readonly rooms?: Readonly<Record<string, RoomJson>>
  readonly inbox?: HistoryDefinition
}

/**
 * A contract as plain JSON, descriptions included; the hash is left out, since reading makes it anew.
 * Throws a ContractError for what is no contract.
 */
export function contractToJson(contract: ContractDefinition): ContractJson {
  const { calls, events, rooms, ...rest } = schemasOf(contract).definition
  return {
    ackord: JSON_FORM,
    ...rest,
    ...(calls && { calls: mapped(calls, callToJson) }),
    ...(events && { events: mapped(events, eventToJson) }),
    ...(rooms && { rooms: mapped(rooms, roomToJson) }),
  }
}

/**
 * Reads what `contractToJson` wrote, as JSON.parse returned it. Throws a ContractError for anything else:
 * unknown keys, the form of a newer ackord, and whatever `defineContract` refuses. The contract can be served.
 */
export function contractFromJson(json: unknown): Contract {
  const { ackord, ...definition } = fieldsAt(json, '')
  if (ackord !== JSON_FORM) {
    throw new ContractError('ackord', `must be ${JSON_FORM}, the form of contract that this version reads`)
  }
  return defineContract(readDefinition(definition, fromJsonSchema))
}

const mapped = <T, U>(map: Readonly<Record<string, T>>, change: (value: T) => U): Record<string, U> =>
  Object.fromEntries(Object.entries(map).map(([name, value]) => [name, change(value)]))

const callToJson = ({ input, ack, errors, item, ...rest }: CallDefinition): CallJson => ({
  ...rest,
  input: schemaToJson(input),
  ...(ack && { ack: schemaToJson(ack) }),
  ...(errors && { errors: mapped(errors, schemaToJson) }),
  ...(item && { item: schemaToJson(item) }),
})

const eventToJson = ({ payload, ack, ...rest }: EventDefinition): EventJson => ({
  ...rest,
  payload: schemaToJson(payload),
  ...(ack && { ack: schemaToJson(ack) }),
})

const roomToJson = ({ params, events, presence, ...rest }: RoomDefinition): RoomJson => ({
  ...rest,
  params: schemaToJson(params),
  events: mapped(events, eventToJson),
  ...(presence && { presence: schemaToJson(presence) }),
})

const schemaToJson = (schema: TSchema): JsonSchema => objectToJson(schema)

const objectToJson = (value: object): JsonObject =>
  Object.fromEntries(
    Object.entries(value).flatMap(([key, field]) => (field === undefined ? [] : [[key, toJson(field)]])),
  )

/** What a read schema holds is JSON but for TypeBox's symbols and what is undefined. */
function toJson(value: unknown): Json {
  if (Array.isArray(value)) return value.map(toJson)
  if (typeof value === 'object' && value !== null) return objectToJson(value)
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? value : null
}
