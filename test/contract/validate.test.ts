import { type TSchema, Type } from '@sinclair/typebox'
import { TypeCompiler } from '@sinclair/typebox/compiler'
import { describe, expect, it, vi } from 'vitest'
import { compileValidator, MAX_POINTER } from '../../plugins/calls/validate.js'
import { contractAround, contractOf, refusal } from './support/contracts.js'

const validatorOf = (schema: TSchema) => compileValidator(contractAround(schema), schema)
const explain = (schema: TSchema, value: unknown) => validatorOf(schema).explain(value)

describe('an explanation', () => {
  it('is a JSON pointer and the name of a rule', () => {
    const schema = Type.Object({ 'a/b~c': Type.Array(Type.Object({ n: Type.String({ maxLength: 1 }) })) })
    expect(explain(schema, { 'a/b~c': [{ n: '' }, { n: 'too long' }] })).toEqual({
      pointer: '/a~1b~0c/1/n',
      rule: 'StringMaxLength',
    })
    expect(explain(schema, null)).toEqual({ pointer: '', rule: 'Object' })
    expect(explain(schema, {})).toEqual({ pointer: '/a~1b~0c', rule: 'ObjectRequiredProperty' })
  })

  it('of a value that passes says so', () => {
    expect(explain(Type.Null(), null)).toEqual({ pointer: '', rule: 'None' })
  })

  it('points to the parent of a property that is not declared', () => {
    const schema = Type.Object({ a: Type.Object({}, { additionalProperties: false }) })
    expect(explain(schema, { a: { 'my secret': 1 } })).toEqual({
      pointer: '/a',
      rule: 'ObjectAdditionalProperties',
    })
  })

  it('ends before the first key that the peer made up', () => {
    const scores = Type.Object({ scores: Type.Record(Type.String(), Type.Object({ n: Type.Integer() })) })
    expect(explain(scores, { scores: { 'my secret': { n: 'x' } } })).toEqual({
      pointer: '/scores',
      rule: 'Integer',
    })
    const open = Type.Object({}, { additionalProperties: Type.Integer() })
    expect(explain(open, { 'my secret': 'x' })).toEqual({ pointer: '', rule: 'Integer' })
    expect(explain(Type.Record(Type.String(), Type.Integer()), { 7: 'x' })).toEqual({
      pointer: '',
      rule: 'Integer',
    })
  })

  it('never holds the value', () => {
    const schema = Type.Object({ a: Type.Literal('fixed') })
    expect(JSON.stringify(explain(schema, { a: 'my secret' }))).not.toContain('secret')
  })

  it(`has a pointer of at most ${MAX_POINTER}, which ends at a segment`, () => {
    const name = 'n'.repeat(100)
    const schema = Type.Object({ [name]: Type.Object({ [name]: Type.Object({ [name]: Type.Integer() }) }) })
    const { pointer } = explain(schema, { [name]: { [name]: { [name]: 'x' } } })
    expect(pointer).toBe(`/${name}/${name}`)
  })

  it('follows what contains itself', () => {
    const schema = Type.Recursive((This) => Type.Object({ next: Type.Optional(This), n: Type.Integer() }))
    expect(explain(schema, { n: 1, next: { n: 2, next: { n: 'x' } } })).toEqual({
      pointer: '/next/next/n',
      rule: 'Integer',
    })
  })
})

describe('a validator', () => {
  it('is one for each schema, and compiles when it is first used', () => {
    const compile = vi.spyOn(TypeCompiler, 'Compile')
    const schema = Type.Object({ a: Type.String() })
    const contract = contractOf({ calls: { a: { input: schema }, b: { input: schema } } })
    const validator = compileValidator(contract, schema)
    expect(compileValidator(contract, schema)).toBe(validator)
    expect(compile).toHaveBeenCalledTimes(0)
    expect([validator.check({ a: '' }), validator.check({})]).toEqual([true, false])
    expect(compile).toHaveBeenCalledTimes(1)
    compile.mockRestore()
  })

  it('is not made for a schema of another contract', () => {
    expect(refusal(() => compileValidator(contractOf({}), Type.String())).path).toBe('schema')
  })

  it('reads a deep value of a recursive union a few times, not 2^depth times', () => {
    const schema = Type.Recursive((This) =>
      Type.Union([
        Type.Object({ child: Type.Optional(This), kind: Type.Literal('a') }),
        Type.Object({ child: Type.Optional(This), kind: Type.Literal('b') }),
        Type.Object({ child: Type.Optional(This), kind: Type.Literal('c') }),
      ]),
    )
    const validator = validatorOf(schema)
    const depth = 60
    let reads = 0
    const nest = (level: number): object => ({
      kind: 'c',
      get child() {
        reads += 1
        return level === 0 ? undefined : nest(level - 1)
      },
    })
    expect(validator.check(nest(depth))).toBe(true)
    expect(reads).toBeLessThanOrEqual(4 * depth)
  })
})
