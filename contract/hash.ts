/** The hash of what changes the wire: two sides with the same one understand every message of each other. */
import type { TSchema } from '@sinclair/typebox'
import type { CallDefinition, ContractDefinition, EventDefinition, RoomDefinition } from './contract.js'
import { fnv1a64 } from './fnv.js'
import { byName } from './schema/parts.js'
import { type ContractSchemas, schemasOf } from './schemas.js'

/** Raised when the form below changes, so that hashes of different forms are never taken for equal. */
const FORM = 1

/**
 * 16 hex digits, the same on every machine. Covers names, schemas, deliveries, keys, errors, and whether
 * there is an ack, item, presence or history; nothing that only people read, no version, no order, no
 * contract name, no `$id`. Throws a ContractError for what is no contract.
 */
export function contractHash(definition: ContractDefinition): string {
  const schemas = schemasOf(definition)
  const { calls = {}, events = {}, rooms = {} } = schemas.definition
  const form = {
    form: FORM,
    calls: mapped(calls, (call) => callForm(call, schemas)),
    events: mapped(events, (event) => eventForm(event, schemas)),
    rooms: mapped(rooms, (room) => roomForm(room, schemas)),
  }
  return fnv1a64(JSON.stringify(form))
}

const mapped = <T>(map: Readonly<Record<string, T>>, form: (value: T) => unknown): unknown[] =>
  Object.entries(map)
    .sort(byName)
    .map(([name, value]) => [name, form(value)])

const schemaForm = (schema: TSchema | undefined, schemas: ContractSchemas): unknown =>
  schema === undefined ? undefined : schemas.expand(schema)

const callForm = (call: CallDefinition, schemas: ContractSchemas): object => ({
  delivery: call.delivery ?? 'attempt',
  input: schemaForm(call.input, schemas),
  ack: schemaForm(call.ack, schemas),
  errors: mapped(call.errors ?? {}, (data) => schemaForm(data, schemas)),
  item: schemaForm(call.item, schemas),
})

const eventForm = (event: EventDefinition, schemas: ContractSchemas): object => ({
  delivery: event.delivery ?? 'volatile',
  key: event.key,
  payload: schemaForm(event.payload, schemas),
  ack: schemaForm(event.ack, schemas),
})

const roomForm = (room: RoomDefinition, schemas: ContractSchemas): object => ({
  params: schemaForm(room.params, schemas),
  events: mapped(room.events, (event) => eventForm(event, schemas)),
  presence: schemaForm(room.presence, schemas),
  history: room.history !== undefined,
})
