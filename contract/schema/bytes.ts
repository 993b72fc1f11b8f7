/** Where the values of a schema hold bytes, and whether JSON can tell: there they are a text like any other. */
import { Kind, KindGuard, type TObject, type TSchema } from '@sinclair/typebox'
import { ContractError } from '../errors.js'
import type { ExpandedSchema } from './expand.js'
import { eachPart } from './parts.js'

/** Whether some part of an expanded schema is bytes. */
export function holdsBytes({ schema, references }: ExpandedSchema): boolean {
  return [schema, ...references].some(partHoldsBytes)
}

function partHoldsBytes(part: TSchema): boolean {
  if (part[Kind] === 'Uint8Array') return true
  let found = false
  eachPart(part, (inner) => {
    found ||= partHoldsBytes(inner)
  })
  return found
}

/** What a value looks like as JSON. */
export type Shape = 'text' | 'number' | 'boolean' | 'null' | 'list' | 'object'

const SHAPES: Readonly<Record<string, Shape>> = {
  Uint8Array: 'text',
  String: 'text',
  Number: 'number',
  Integer: 'number',
  Boolean: 'boolean',
  Null: 'null',
  Array: 'list',
  Tuple: 'list',
  Object: 'object',
  Record: 'object',
}

/** The shape of a value that was read from JSON. */
export function shapeOf(value: unknown): Shape {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'list'
  const type = typeof value
  return type === 'string' ? 'text' : type === 'number' || type === 'boolean' ? type : 'object'
}

/** The shape of every value of a member of a union; `undefined` where there is more than one. */
function shapeOfSchema(member: TSchema, references: readonly TSchema[]): Shape | undefined {
  if (KindGuard.IsLiteral(member)) return shapeOf(member.const)
  if (KindGuard.IsRef(member)) {
    const target = references.find(({ $id }) => $id === member.$ref)
    return target && shapeOfSchema(target, references)
  }
  if (KindGuard.IsIntersect(member)) {
    const [first] = member.allOf
    return first && shapeOfSchema(first, references)
  }
  return SHAPES[member[Kind]]
}

/** The members of a union that a value of one shape may be of. */
export interface Case {
  readonly shape: Shape
  readonly members: readonly TSchema[]
  /** Where there are several: the property whose literal tells them apart. */
  readonly tag: string | undefined
}

/** The members of a union by the shape of their values; unions in it are written out, what is no value left out. */
export function casesOf(union: TSchema, references: readonly TSchema[]): readonly Case[] {
  const byShape = new Map<Shape, TSchema[]>()
  for (const member of membersOf(union, references)) {
    const shape = shapeOfSchema(member, references)
    if (shape !== undefined) byShape.set(shape, [...(byShape.get(shape) ?? []), member])
  }
  return [...byShape].map(([shape, members]) => ({ shape, members, tag: tagOf(members) }))
}

function membersOf(schema: TSchema, references: readonly TSchema[]): TSchema[] {
  if (KindGuard.IsUnion(schema)) return schema.anyOf.flatMap((each) => membersOf(each, references))
  return schema[Kind] === 'Never' ? [] : [schema]
}

/** The literal that an object of this schema has under a name. */
export const literalAt = ({ properties, required }: TObject, name: string): unknown => {
  const property = properties[name]
  return property && KindGuard.IsLiteral(property) && required?.includes(name) ? property.const : undefined
}

function tagOf(members: readonly TSchema[]): string | undefined {
  const objects = members.filter((member) => KindGuard.IsObject(member))
  const [first] = objects
  if (first === undefined || objects.length < members.length) return undefined
  return Object.keys(first.properties).find((name) => {
    const literals = objects.map((each) => literalAt(each, name))
    return !literals.includes(undefined) && new Set(literals).size === literals.length
  })
}

/**
 * Throws a ContractError where JSON could not tell which texts are bytes: in a union of which more than one member could be
 * meant, and where a schema only says what a value is not, or that some item of a list is.
 */
export function refuseUnclearBytes({ schema, references }: ExpandedSchema, path: string): void {
  const look = (part: TSchema): void => {
    if (!partHoldsBytes(part)) return
    if (KindGuard.IsNot(part)) {
      throw new ContractError(path, 'has Type.Uint8Array() in a Type.Not: JSON could not tell what it is')
    }
    if (part['contains'] !== undefined && partHoldsBytes(part['contains'])) {
      throw new ContractError(path, 'has Type.Uint8Array() in `contains`: make it the items of the list')
    }
    if (KindGuard.IsUnion(part)) refuseUnclearUnion(part, references, path)
    eachPart(part, look)
  }
  for (const part of [schema, ...references]) look(part)
}

function refuseUnclearUnion(union: TSchema, references: readonly TSchema[], path: string): void {
  const cases = casesOf(union, references)
  const clear =
    membersOf(union, references).length === cases.reduce((sum, { members }) => sum + members.length, 0)
  const told = cases.every(
    ({ members, tag }) => members.length === 1 || tag !== undefined || !members.some(partHoldsBytes),
  )
  if (clear && told) return
  throw new ContractError(
    path,
    'has Type.Uint8Array() in a union in which JSON could not tell it from another member, as it is a text there: ' +
      'let no other member be a text, and tell objects apart by a property that is a Type.Literal in each',
  )
}
