import { type TSchema, Type } from '@sinclair/typebox'
import { TypeCompiler } from '@sinclair/typebox/compiler'
import { describe, expect, it } from 'vitest'
import { contractFromJson, contractToJson } from '../../contract/json.js'
import { compileSerializer } from '../../plugins/calls/serialize.js'
import { compileValidator } from '../../plugins/calls/validate.js'
import { contractAround } from './support/contracts.js'

/** Numbers from 0 to below 1, the same for the same seed (mulberry32). */
function randomOf(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
}

const KEYS = ['a', 'b', 'kind', 'a/b', '~', '1'] as const

/** Schemas and values that often fit them, and sometimes carry a field called `secret`, which no schema declares. */
class Maker {
  readonly #random: () => number
  constructor(seed: number) {
    this.#random = randomOf(seed)
  }

  pick<T>(list: readonly [T, ...T[]]): T {
    return list[Math.floor(this.#random() * list.length)] ?? list[0]
  }

  some<T>(make: () => T): T[] {
    return Array.from({ length: Math.floor(this.#random() * 4) }, make)
  }

  schema(depth: number): TSchema {
    const below = () => this.schema(depth - 1)
    const scalars: [() => TSchema, ...Array<() => TSchema>] = [
      () => Type.String({ maxLength: 2 }),
      () => Type.Integer({ minimum: 0 }),
      () => Type.Number(),
      () => Type.Boolean(),
      () => Type.Null(),
      () => Type.Literal(this.pick(['a', 'b', 1])),
    ]
    if (depth === 0) return this.pick(scalars)()
    return this.pick<() => TSchema>([
      () => Type.Object(Object.fromEntries(this.some(() => [this.pick(KEYS), this.optional(below())]))),
      () =>
        Type.Object(
          { kind: Type.Literal(this.pick(['a', 'b'])), a: this.optional(below()) },
          { additionalProperties: false },
        ),
      () => Type.Array(below(), { maxItems: 3 }),
      () => Type.Tuple(this.some(below)),
      () => Type.Record(Type.Union([Type.Literal('a'), Type.Literal('b')]), below()),
      () => Type.Record(Type.TemplateLiteral([Type.Literal('a'), Type.String()]), below()),
      () => Type.Union([below(), ...this.some(below)]),
      () => Type.Intersect([below(), ...this.some(below)]),
      () =>
        Type.Recursive((This) =>
          Type.Object({ a: this.optional(below()), b: Type.Optional(Type.Array(This)) }),
        ),
      ...scalars,
    ])()
  }

  optional(schema: TSchema): TSchema {
    return this.#random() < 0.5 ? Type.Optional(schema) : schema
  }

  value(depth: number): unknown {
    const below = () => this.value(depth - 1)
    const scalar = () => this.pick<unknown>(['a', 'b', '', 1, 0, -1.5, true, null])
    if (depth === 0 || this.#random() < 0.3) return scalar()
    if (this.#random() < 0.3) return this.some(below)
    const fields = this.some(() => [this.pick(KEYS), below()] as const)
    return { ...Object.fromEntries(fields), ...(this.#random() < 0.3 && { secret: below() }) }
  }
}

describe('schemas made at random', () => {
  it('are checked as TypeBox checks them, before and after JSON, and written without what is not declared', () => {
    let passed = 0
    let cut = 0
    const wrong: string[] = []
    for (let seed = 1; seed <= 250; seed++) {
      const make = new Maker(seed)
      const schema = make.schema(3)
      const contract = contractAround(schema)
      const reread = contractFromJson(JSON.parse(JSON.stringify(contractToJson(contract))))
      if (reread.hash !== contract.hash) wrong.push(`seed ${seed}: another hash after JSON`)
      const original = TypeCompiler.Compile(schema)
      const ours = compileValidator(contract, schema)
      const again = compileValidator(reread, reread.calls?.['it']?.input ?? Type.Never())
      const serialize = compileSerializer(contract, schema)
      for (let i = 0; i < 60; i++) {
        const value = make.value(3)
        const fits = original.Check(value)
        const tell = (problem: string) =>
          wrong.push(`seed ${seed}: ${problem}: ${JSON.stringify(value)} for ${JSON.stringify(schema)}`)
        if (ours.check(value) !== fits) tell('checked otherwise')
        if (again.check(value) !== fits) tell('checked otherwise after JSON')
        if (!fits) continue
        const text = serialize(value)
        passed += 1
        if (text.length < JSON.stringify(value).length) cut += 1
        if (text.includes('secret')) tell('left with what is not declared')
        if (!original.Check(JSON.parse(text))) tell('left without what is declared')
        if (serialize(JSON.parse(text)) !== text) tell('written otherwise the second time')
      }
    }
    expect(wrong).toEqual([])
    expect(passed).toBeGreaterThan(1000)
    expect(cut).toBeGreaterThan(100)
  })
})
