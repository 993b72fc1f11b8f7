/** What calls, events, rooms and errors may be called. */
import { ContractError } from './errors.js'
import { at, refuseBadName } from './plain.js'
import { ERRORS } from './wire/errors.js'

/** Segments that a client cannot offer: a promise would call the one, the other is a prototype. */
const REFUSED_SEGMENTS = ['then', '__proto__']

/**
 * Throws a ContractError where the names of a map cannot become members of a client: dots part them into
 * groups, so no name may be a group of another.
 */
export function checkNames(names: readonly string[], path: string): void {
  const all = new Set(names)
  for (const name of names) {
    const place = at(path, name)
    refuseBadName(name, place)
    const segments = name.split('.')
    for (const segment of segments) {
      if (segment === '') throw new ContractError(place, 'has an empty segment; take the extra dot out')
      if (REFUSED_SEGMENTS.includes(segment)) {
        throw new ContractError(place, `has the segment ${segment}, which no client can offer; rename it`)
      }
    }
    for (let end = 1; end < segments.length; end++) {
      const prefix = segments.slice(0, end).join('.')
      if (all.has(prefix)) {
        throw new ContractError(at(path, prefix), `is also the group of ${name}; rename one of them`)
      }
    }
  }
}

/** Throws a ContractError for an error code that is not `UPPER_CASE` or that ackord itself uses. */
export function checkErrorCode(code: string, path: string): void {
  refuseBadName(code, path)
  if (!/^[A-Z][A-Z0-9_]*$/.test(code)) {
    throw new ContractError(path, 'must be written like CHANNEL_CLOSED: A–Z, digits and _')
  }
  if (Object.hasOwn(ERRORS, code)) {
    throw new ContractError(path, 'is one of the codes of every call (PROTOCOL.md § Errors); choose another')
  }
}
