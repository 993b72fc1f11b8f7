import { TypeCompiler } from '@sinclair/typebox/compiler'
import { Value } from '@sinclair/typebox/value'
import { describe, expect, it } from 'vitest'
import { contractFromJson, contractToJson } from '../../contract/json.js'
import { serializerSchema } from '../../contract/schema/serializer.js'
import { resolveSchema } from '../../contract/schemas.js'
import { compileSerializer } from '../../plugins/calls/serialize.js'
import { compileValidator } from '../../plugins/calls/validate.js'
import { contractAround } from './support/contracts.js'
import { kinds } from './support/kinds.js'

for (const { title, schema, good, bad, dirty = [], plan } of kinds) {
  describe(title, () => {
    const contract = contractAround(schema)
    const reread = contractFromJson(JSON.parse(JSON.stringify(contractToJson(contract))))
    const rereadSchema = reread.calls?.['it']?.input ?? schema

    it('compiles with what it refers to, and tells good values from bad ones', () => {
      const resolved = resolveSchema(contract, schema)
      const check = TypeCompiler.Compile(resolved.schema, resolved.references)
      expect(good.filter((value) => !check.Check(value))).toEqual([])
      expect(bad.filter((value) => check.Check(value))).toEqual([])
      expect(good.filter((value) => !Value.Check(resolved.schema, resolved.references, value))).toEqual([])
      expect(bad.filter((value) => Value.Check(resolved.schema, resolved.references, value))).toEqual([])
    })

    it('explains each bad value by a place and a rule', () => {
      const validator = compileValidator(contract, schema)
      for (const value of bad) {
        const { pointer, rule } = validator.explain(value)
        expect(pointer).toMatch(/^(\/.*)?$/)
        expect(rule).toMatch(/^[A-Z][A-Za-z]+$/)
        expect(rule).not.toBe('None')
      }
    })

    it('writes good values as they are, and undeclared fields not at all', () => {
      const serialize = compileSerializer(contract, schema)
      expect(good.map((value) => JSON.parse(serialize(value)))).toEqual(JSON.parse(JSON.stringify(good)))
      expect(dirty.map(([value]) => JSON.parse(serialize(value)))).toEqual(dirty.map(([, left]) => left))
      for (const value of bad) expect(() => serialize(value)).toThrow('breaks its schema')
      expect(serializerSchema(contract, schema).kind).toBe(plan)
    })

    it('is the same contract after JSON', () => {
      expect(reread.hash).toBe(contract.hash)
      expect(contractToJson(reread)).toEqual(contractToJson(contract))
      const validator = compileValidator(reread, rereadSchema)
      expect(good.filter((value) => !validator.check(value))).toEqual([])
      expect(bad.filter((value) => validator.check(value))).toEqual([])
      const serialize = compileSerializer(reread, rereadSchema)
      expect(dirty.map(([value]) => JSON.parse(serialize(value)))).toEqual(dirty.map(([, left]) => left))
    })
  })
}
