import { Type } from '@sinclair/typebox'
import { describe, expect, it } from 'vitest'
import type { CallDefinition } from '../../contract/contract.js'
import { compileSerializer } from '../../plugins/calls/serialize.js'
import { compileValidator } from '../../plugins/calls/validate.js'
import { contractOf } from './support/contracts.js'

const Message = Type.Object(
  { id: Type.String(), text: Type.String({ maxLength: 2000 }), at: Type.Integer() },
  { $id: 'Message' },
)

function callOf(i: number): CallDefinition {
  const input = Type.Object({
    [`property${i}`]: Type.String({ minLength: 1 }),
    list: Type.Array(Type.Object({ n: Type.Integer() })),
    mode: Type.Union([Type.Literal('a'), Type.Literal('b')]),
  })
  return {
    input,
    ack: Type.Array(Message),
    errors: { TOO_LATE: Type.Object({ at: Type.Integer() }) },
    delivery: 'once',
  }
}

/** What it gives, and the processor time it took in ms: for people, machines differ too much to assert. */
function timed<T>(title: string, work: () => T): T {
  const before = process.cpuUsage()
  const result = work()
  const { user, system } = process.cpuUsage(before)
  console.info(`${title}: ${Math.round((user + system) / 1000)} ms of processor time`)
  return result
}

describe('a contract of 500 calls', () => {
  it('is defined, and each of its schemas compiled when it is first used; the cost is printed', () => {
    const calls = Object.fromEntries(
      Array.from({ length: 500 }, (_, i) => [`group${i % 25}.call${i}`, callOf(i)]),
    )
    const contract = timed('defineContract, the first time', () => contractOf({ calls }))
    expect(timed('defineContract, again', () => contractOf({ calls: { ...calls } })).hash).toBe(contract.hash)
    const all = Object.values(contract.calls ?? {})
    const validators = timed('500 validators', () =>
      all.map(({ input }) => compileValidator(contract, input)),
    )
    const passed = timed('their first check', () =>
      validators.map((validator, i) =>
        validator.check({ [`property${i}`]: 'x', list: [{ n: i }], mode: 'a' }),
      ),
    )
    expect(passed).toEqual(Array(500).fill(true))
    const serializers = timed('500 serializers', () =>
      all.map(({ ack = Type.Null() }) => compileSerializer(contract, ack)),
    )
    const texts = timed('their first value', () =>
      serializers.map((write) => write([{ id: 'i', text: '', at: 1, no: 1 }])),
    )
    expect(new Set(texts)).toEqual(new Set(['[{"at":1,"id":"i","text":""}]']))
  })
})
