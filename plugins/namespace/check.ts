/** What another node sent, looked at before it is believed: it may be of another version. */
import type { Target } from './members.js'

const isText = (value: unknown): value is string => typeof value === 'string'

/** A list of texts of that length at least; undefined for anything else. */
export function texts(value: unknown, least: number): readonly string[] | undefined {
  return Array.isArray(value) && value.length >= least && value.every(isText) ? value : undefined
}

/** Undefined where it is none that this version knows. */
export function targetOf(value: unknown): Target | undefined {
  const [kind, name] = texts(value, 1) ?? []
  if (kind === 'all') return ['all']
  if ((kind === 'user' || kind === 'room') && name !== undefined) return [kind, name]
  return undefined
}

/** The members of an object; none of anything else. */
export const fieldsOf = (value: unknown): Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null ? { ...value } : {}
