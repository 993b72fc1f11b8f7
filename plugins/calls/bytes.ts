/** Bytes in their places: JSON has their base64 there (RFC 4648 § 4), everybody else a Uint8Array. */
import { KindGuard, type TSchema } from '@sinclair/typebox'
import { casesOf, holdsBytes, literalAt, shapeOf } from '../../contract/schema/bytes.js'
import type { ExpandedSchema } from '../../contract/schema/expand.js'

/** Does something at a place where a schema has bytes; returns what stands there then. */
type AtPlace = (value: unknown) => unknown
/** Goes to every place in a value, which it changes. */
type Visit = (value: unknown, at: AtPlace) => unknown

/** The places of bytes in the values of one schema. */
export interface BytePlaces {
  /** Makes bytes of the base64 in them. What is no canonical base64 stays as it is. Changes the value. */
  revive(value: unknown): unknown
  /** Whether all bytes of a value stand in them. */
  holdAll(value: unknown): boolean
}

const NO_PLACES: BytePlaces = {
  revive: (value) => value,
  holdAll: (value) => countBytes(value) === 0,
}

const known = new WeakMap<ExpandedSchema, BytePlaces>()

/** The places of bytes that a schema has; the same object where it has none. */
export function bytePlaces(expanded: ExpandedSchema): BytePlaces {
  const places = known.get(expanded) ?? (holdsBytes(expanded) ? compilePlaces(expanded) : NO_PLACES)
  known.set(expanded, places)
  return places
}

/** Whether a schema has places of bytes. */
export const hasPlaces = (places: BytePlaces): boolean => places !== NO_PLACES

function compilePlaces(expanded: ExpandedSchema): BytePlaces {
  const visit = compileVisit(expanded)
  return {
    revive: (value) => visit(value, fromBase64),
    holdAll(value) {
      let placed = 0
      visit(value, (each) => {
        if (each instanceof Uint8Array) placed++
        return each
      })
      return placed === countBytes(value)
    },
  }
}

/** The base64 of bytes. */
export const toBase64 = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64')

function fromBase64(value: unknown): unknown {
  if (typeof value !== 'string') return value
  const decoded = Buffer.from(value, 'base64')
  // Only one text stands for the same bytes: without padding, with the URL's alphabet or with spaces it is another.
  if (decoded.toString('base64') !== value) return value
  // A copy of its own: a small Buffer is a view into a pool.
  return new Uint8Array(decoded)
}

function countBytes(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0
  if (value instanceof Uint8Array) return 1
  let count = 0
  for (const member of Array.isArray(value) ? value : Object.values(value)) count += countBytes(member)
  return count
}

type Fields = Record<string, unknown>

const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array)

function compileVisit({ schema, references }: ExpandedSchema): Visit {
  const recursive = new Map<string, Visit>()
  for (const reference of references) recursive.set(String(reference.$id), compile(reference) ?? stay)
  return compile(schema) ?? stay

  // `undefined` where there are no bytes.
  function compile(part: TSchema): Visit | undefined {
    if (KindGuard.IsUint8Array(part)) return (value, at) => at(value)
    if (KindGuard.IsObject(part)) return objectOf(part.properties, part.additionalProperties)
    if (KindGuard.IsRecord(part)) return recordOf(part.patternProperties)
    if (KindGuard.IsArray(part)) return listOf([], compile(part.items))
    if (KindGuard.IsTuple(part)) return listOf((part.items ?? []).map(compile), undefined)
    if (KindGuard.IsUnion(part)) return unionOf(part)
    if (KindGuard.IsIntersect(part)) return inTurn(part.allOf.map(compile))
    if (KindGuard.IsRef(part)) return (value, at) => (recursive.get(part.$ref) ?? stay)(value, at)
    return undefined
  }

  function objectOf(
    properties: Record<string, TSchema>,
    additional: TSchema | boolean | undefined,
  ): Visit | undefined {
    const places = Object.entries(properties).flatMap(([name, property]) => {
      const visit = compile(property)
      return visit === undefined ? [] : [[name, visit] as const]
    })
    const rest = typeof additional === 'object' ? compile(additional) : undefined
    if (places.length === 0 && rest === undefined) return undefined
    return (value, at) => {
      if (!isFields(value)) return value
      for (const [name, visit] of places) if (Object.hasOwn(value, name)) value[name] = visit(value[name], at)
      if (rest === undefined) return value
      for (const key of Object.keys(value)) {
        if (!Object.hasOwn(properties, key)) value[key] = rest(value[key], at)
      }
      return value
    }
  }

  function recordOf(patterns: Record<string, TSchema>): Visit | undefined {
    const [[pattern, property] = ['', undefined]] = Object.entries(patterns)
    const visit = property && compile(property)
    if (visit === undefined) return undefined
    const test = new RegExp(pattern)
    return (value, at) => {
      if (!isFields(value)) return value
      for (const key of Object.keys(value)) if (test.test(key)) value[key] = visit(value[key], at)
      return value
    }
  }

  function listOf(places: ReadonlyArray<Visit | undefined>, rest: Visit | undefined): Visit | undefined {
    if (rest === undefined && places.every((visit) => visit === undefined)) return undefined
    return (value, at) => {
      if (!Array.isArray(value)) return value
      for (let i = 0; i < value.length; i++) {
        const visit = places[i] ?? rest
        if (visit !== undefined) value[i] = visit(value[i], at)
      }
      return value
    }
  }

  // The contract's check has seen to it that a value is of at most one member that has bytes, and that this tells of which.
  function unionOf(union: TSchema): Visit | undefined {
    const cases = casesOf(union, references).map(({ shape, members, tag }) => ({
      shape,
      tag,
      members: members.map((member) => ({
        visit: compile(member),
        literal: tag !== undefined && KindGuard.IsObject(member) ? literalAt(member, tag) : undefined,
      })),
    }))
    if (cases.every(({ members }) => members.every(({ visit }) => visit === undefined))) return undefined
    return (value, at) => {
      const shape = value instanceof Uint8Array ? 'text' : shapeOf(value)
      const found = cases.find((each) => each.shape === shape)
      const member = found?.members.find(
        ({ visit, literal }) =>
          visit !== undefined &&
          (found.tag === undefined || (isFields(value) && value[found.tag] === literal)),
      )
      return member?.visit === undefined ? value : member.visit(value, at)
    }
  }
}

const stay: Visit = (value) => value

function inTurn(visits: ReadonlyArray<Visit | undefined>): Visit | undefined {
  const some = visits.filter((visit) => visit !== undefined)
  return some.length === 0 ? undefined : (value, at) => some.reduce((each, visit) => visit(each, at), value)
}
