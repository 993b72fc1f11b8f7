/** What any value of unknown origin is looked at with: paths for messages, objects, keys, JSON. */
import { ContractError } from './errors.js'

/** A JSON value (RFC 8259). */
export type Json = null | boolean | number | string | readonly Json[] | JsonObject
/** A JSON object. */
export interface JsonObject {
  readonly [key: string]: Json
}

/** An object whose values are not yet known. */
export type Fields = Readonly<Record<string, unknown>>

/** The longest name of a contract, call, event, room or error, in UTF-16 units. */
export const MAX_NAME_LENGTH = 128

/** Text on one line: no control character, no lone surrogate (which UTF-8 cannot carry). */
const BROKEN = /[\p{Cc}\p{Cs}]/u

/** The path of a key or index below another: `calls["message.send"].input`. */
export function at(path: string, key: string | number): string {
  if (typeof key === 'number') return `${path}[${key}]`
  if (!/^[A-Za-z_$][\w$]*$/.test(key)) return `${path}[${JSON.stringify(key)}]`
  return path === '' ? key : `${path}.${key}`
}

/** Whether a value is an object of a literal or of JSON: no array, no instance of a class. */
export function isFields(value: unknown): value is Fields {
  if (typeof value !== 'object' || value === null) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === null || prototype === Object.prototype
}

/**
 * The object at a path, without what is undefined in it. Throws a ContractError if it is none, or has a
 * key that is not among the known ones (`undefined`: any key).
 */
export function fieldsAt(value: unknown, path: string, known?: readonly string[]): Fields {
  if (!isFields(value)) throw new ContractError(path === '' ? 'contract' : path, 'must be an object')
  let sparse = false
  for (const key of Object.keys(value)) {
    if (value[key] === undefined) sparse = true
    else if (known !== undefined && !known.includes(key)) {
      throw new ContractError(at(path, key), `is not known here; known are ${known.join(', ')}`)
    }
  }
  return sparse ? Object.fromEntries(Object.entries(value).filter(([, field]) => field !== undefined)) : value
}

/** The text at a path; throws a ContractError if it is none. */
export function textAt(value: unknown, path: string): string {
  if (typeof value !== 'string') throw new ContractError(path, 'must be a string')
  return value
}

/** Throws a ContractError where a text cannot name something: empty, too long, or broken. */
export function refuseBadName(name: string, path: string): void {
  if (name === '') throw new ContractError(path, 'must not be empty')
  if (name.length > MAX_NAME_LENGTH) {
    throw new ContractError(path, `is longer than ${MAX_NAME_LENGTH} characters; shorten it`)
  }
  if (BROKEN.test(name)) {
    throw new ContractError(path, 'has a control character or half a surrogate pair; take it out')
  }
}

/** Throws a ContractError where a value holds something that JSON does not: functions, NaN, instances, cycles. */
export function refuseNonJson(value: unknown, path: string, depth = 32): void {
  if (value === null || typeof value === 'boolean' || typeof value === 'string') return
  if (typeof value === 'number' && Number.isFinite(value)) return
  if (depth === 0) throw new ContractError(path, 'is nested too deep')
  if (Array.isArray(value)) {
    value.forEach((element, i) => {
      refuseNonJson(element, at(path, i), depth - 1)
    })
    return
  }
  if (!isFields(value)) throw new ContractError(path, 'is not JSON; write what JSON can hold')
  for (const [key, field] of Object.entries(value)) {
    if (key === '__proto__') throw new ContractError(at(path, key), 'is not allowed as a key')
    if (field !== undefined) refuseNonJson(field, at(path, key), depth - 1)
  }
}
