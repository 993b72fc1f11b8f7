/** What a generated client hands to the runtime: the names of a contract that it has to know, and how each is treated. */
import type { Contract } from '../contract/contract.js'
import { indent, literalKey, quote } from './text.js'

/**
 * The `descriptor` constant of a generated file, a `Descriptor` of `ackord/client`. Const, not annotated: where a name is
 * `constructor`, TypeScript would take Object's member for its contextual type and widen the delivery to string.
 */
export function printDescriptor(contract: Contract): string {
  const { calls = {}, rooms = {} } = contract
  return `const descriptor = ${record([
    `version: ${quote(contract.version)}`,
    `hash: ${quote(contract.hash)}`,
    `calls: ${table(calls, (call) => [
      `delivery: ${quote(call.delivery ?? 'attempt')}`,
      ...(call.item === undefined ? [] : ['stream']),
    ])}`,
    `rooms: ${table(rooms, (room) => [`params: ${list(room.params.properties)}`])}`,
  ])} as const`
}

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
