/** What a generated client hands to the runtime: the names of a contract that it has to know, and how each is treated. */
import type { Contract, EventDefinition } from '../contract/contract.js'
import { indent, literalKey, quote } from './text.js'

/**
 * The `descriptor` constant of a generated file, a `Descriptor` of `ackord/client`. Const, not annotated: where a name is
 * `constructor`, TypeScript would take Object's member for its contextual type and widen the delivery to string.
 */
export function printDescriptor(contract: Contract): string {
  const { calls = {}, events = {}, rooms = {} } = contract
  return `const descriptor = ${record([
    `version: ${quote(contract.version)}`,
    `hash: ${quote(contract.hash)}`,
    `calls: ${table(calls, (call) => [
      `delivery: ${quote(call.delivery ?? 'attempt')}`,
      ...(call.item === undefined ? [] : ['stream']),
    ])}`,
    `rooms: ${table(rooms, (room) => [
      'membership',
      `params: ${list(room.params.properties)}`,
      ...(room.presence === undefined ? [] : ['presence']),
    ])}`,
    ...(Object.values(events).some(isRecoverable) ? ['inbox'] : []),
  ])} as const`
}

/** The values of `ackord/client` that the descriptor names. */
export function usedParts({ calls = {}, events = {}, rooms = {} }: Contract): string[] {
  const all = Object.values(rooms)
  return [
    ...(Object.values(events).some(isRecoverable) ? ['inbox'] : []),
    ...(all.length > 0 ? ['membership'] : []),
    ...(all.some((room) => room.presence !== undefined) ? ['presence'] : []),
    ...(Object.values(calls).some((call) => call.item !== undefined) ? ['stream'] : []),
  ]
}

/** Whether an event is kept in a log: outside rooms, in the user's inbox. */
export const isRecoverable = ({ delivery }: EventDefinition): boolean => delivery === 'recoverable'

/** Entries in braces, one a line, each with its comma. */
export const record = (members: readonly string[]): string =>
  members.length === 0 ? '{}' : `{\n${members.map((each) => `${indent(each)},\n`).join('')}}`

const list = (named: object): string => `[${Object.keys(named).map(quote).join(', ')}]`

function table<T>(
  definitions: Readonly<Record<string, T>>,
  members: (definition: T) => readonly string[],
): string {
  return record(
    Object.entries(definitions).map(([name, definition]) => {
      const parts = members(definition)
      return `${literalKey(name)}: ${parts.length === 0 ? '{}' : `{ ${parts.join(', ')} }`}`
    }),
  )
}
