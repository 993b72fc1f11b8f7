import { type TSchema, Type } from '@sinclair/typebox'
import { describe, expect, it } from 'vitest'
import type {
  CallDefinition,
  ContractDefinition,
  EventDefinition,
  RoomDefinition,
} from '../../contract/contract.js'
import { fnv1a64 } from '../../contract/fnv.js'
import { contractAround, contractOf } from './support/contracts.js'

const call: CallDefinition = { input: Type.Object({ a: Type.String(), b: Type.Optional(Type.Integer()) }) }
const event: EventDefinition = { payload: Type.Object({ id: Type.String() }) }
const room: RoomDefinition = { params: Type.Object({ id: Type.String() }), events: { e: event } }
const history = { messages: 10, seconds: 10 }
const base: Partial<ContractDefinition> = { calls: { a: call }, events: { e: event }, rooms: { r: room } }

const hash = (parts: Partial<ContractDefinition>): string => contractOf(parts).hash
const withCall = (parts: Partial<CallDefinition>): string =>
  hash({ ...base, calls: { a: { ...call, ...parts } } })
const withEvent = (parts: Partial<EventDefinition>): string =>
  hash({ ...base, events: { e: { ...event, ...parts } } })
const withRoom = (parts: Partial<RoomDefinition>): string =>
  hash({ ...base, rooms: { r: { ...room, ...parts } } })
const around = (schema: TSchema): string => contractAround(schema).hash

describe('FNV-1a of 64 bits', () => {
  it.each([
    ['', 'cbf29ce484222325'],
    ['a', 'af63dc4c8601ec8c'],
    ['foobar', '85944171f73967e8'],
  ])('of %j is as published', (text, expected) => {
    expect(fnv1a64(text)).toBe(expected)
  })

  it('is what BigInt makes of it, for texts of every length and any letter', () => {
    const reference = (text: string): string => {
      let value = 0xcbf29ce484222325n
      for (const byte of new TextEncoder().encode(text))
        value = ((value ^ BigInt(byte)) * 0x100000001b3n) & 0xffffffffffffffffn
      return value.toString(16).padStart(16, '0')
    }
    for (let n = 0; n < 300; n++) {
      const text = String.fromCodePoint(
        ...Array.from({ length: n }, (_, i) => (i * 7919 + n * 104_729) % 0xd800),
      )
      expect(fnv1a64(text)).toBe(reference(text))
    }
  })
})

describe('the hash stays', () => {
  it('on every machine and with every version: a change here tells every client that the contract is another', () => {
    expect(hash(base)).toBe('705d71a473a70523')
    expect(
      withRoom({ history, presence: Type.Recursive((This) => Type.Object({ of: Type.Array(This) })) }),
    ).toBe('4c8c0fd1bef9231d')
  })

  it.each<[string, string]>([
    ['another name or version', hash({ ...base, name: 'other', version: '2' })],
    ['a description', hash({ ...base, description: 'new' })],
    ['a description of a call', withCall({ description: 'new' })],
    ['a description of an event', withEvent({ description: 'new' })],
    ['a description of a room', withRoom({ description: 'new' })],
    [
      'notes in a schema',
      withCall({
        input: Type.Object(
          {
            a: Type.String({ title: 't', default: 'd', examples: ['e'], $comment: 'c', 'x-mine': 1 }),
            b: Type.Optional(Type.Integer()),
          },
          { description: 'new' },
        ),
      }),
    ],
    [
      'an order of keys',
      withCall({ input: Type.Object({ b: Type.Optional(Type.Integer()), a: Type.String() }) }),
    ],
    ['an order of names', hash({ rooms: { r: room }, events: { e: event }, calls: { a: call } })],
    [
      'an $id',
      withCall({
        input: Type.Object({ a: Type.String({ $id: 'A' }), b: Type.Optional(Type.Integer()) }, { $id: 'B' }),
      }),
    ],
    ['the defaults written out', withCall({ delivery: 'attempt', errors: {} })],
    ['the default of an event written out', withEvent({ delivery: 'volatile' })],
    ['plain JSON Schema', withCall({ input: Type.Unsafe({ ...JSON.parse(JSON.stringify(call.input)) }) })],
  ])('with %s', (_, other) => {
    expect(other).toBe(hash(base))
  })

  it('with other numbers in an inbox, or none', () => {
    const events = { e: { ...event, delivery: 'recoverable' } } as const
    expect(hash({ events, inbox: history })).toBe(hash({ events }))
    expect(hash({ events, inbox: history })).toBe(hash({ events, inbox: { ...history, bytes: 9 } }))
  })

  it('with other numbers in a history', () => {
    expect(withRoom({ history })).toBe(withRoom({ history: { messages: 99, seconds: 99, bytes: 99 } }))
  })

  it('whatever TypeBox or the author calls a schema that contains itself', () => {
    const list = (options?: { $id: string }) =>
      Type.Recursive((This) => Type.Object({ next: Type.Optional(This), a: Type.String() }), options)
    expect(around(list())).toBe(around(list()))
    expect(around(list({ $id: 'Z' }))).toBe(around(list()))
    expect(around(Type.Object({ b: list({ $id: 'B' }), a: list({ $id: 'A' }) }))).toBe(
      around(Type.Object({ a: list({ $id: 'Y' }), b: list({ $id: 'X' }) })),
    )
  })

  it('whatever the order of several calls, events, rooms and errors', () => {
    const errors = { A: Type.Null(), B: Type.Boolean() }
    const more = { ...call, errors }
    const turned = { ...call, errors: { B: errors.B, A: errors.A } }
    const one = { calls: { a: call, b: more }, events: { e: event, f: event }, rooms: { r: room, s: room } }
    const two = { calls: { b: turned, a: call }, events: { f: event, e: event }, rooms: { s: room, r: room } }
    expect(hash(one)).toBe(hash(two))
  })

  it('when anything is allowed by a schema instead of by true', () => {
    expect(around(Type.Object({}, { additionalProperties: Type.Unknown() }))).toBe(
      around(Type.Object({}, { additionalProperties: true })),
    )
  })

  it('when a schema is referred to instead of repeated', () => {
    const A = Type.Object({ a: Type.String() }, { $id: 'A' })
    const Module = Type.Module({ A: Type.Object({ a: Type.String() }) })
    expect(around(Type.Tuple([A, Type.Ref('A')]))).toBe(around(Type.Tuple([A, A])))
    expect(around(Module.Import('A'))).toBe(around(A))
  })
})

describe('the hash changes', () => {
  const hashes: ReadonlyArray<[string, string]> = [
    ['nothing', hash(base)],
    ['a call more', hash({ ...base, calls: { a: call, b: call } })],
    ['a call by another name', hash({ ...base, calls: { b: call } })],
    ['an event more', hash({ ...base, events: { e: event, f: event } })],
    ['a room more', hash({ ...base, rooms: { r: room, s: room } })],
    ['a call that was an event', hash({ ...base, calls: { a: call, e: call }, events: {} })],
    ['a delivery', withCall({ delivery: 'repeat' })],
    ['another delivery', withCall({ delivery: 'once' })],
    ['a volatile call', withCall({ delivery: 'volatile' })],
    ['an ack', withCall({ ack: Type.Null() })],
    ['another ack', withCall({ ack: Type.Boolean() })],
    ['an item', withCall({ item: Type.Null() })],
    ['an error', withCall({ errors: { A: Type.Null() } })],
    ['another error', withCall({ errors: { B: Type.Null() } })],
    ['data of an error', withCall({ errors: { A: Type.Boolean() } })],
    [
      'a constraint',
      withCall({
        input: Type.Object({ a: Type.String({ maxLength: 1 }), b: Type.Optional(Type.Integer()) }),
      }),
    ],
    [
      'a property that must be there',
      withCall({ input: Type.Object({ a: Type.String(), b: Type.Integer() }) }),
    ],
    ['a property less', withCall({ input: Type.Object({ a: Type.String() }) })],
    [
      'a property by another name',
      withCall({ input: Type.Object({ a: Type.String(), c: Type.Optional(Type.Integer()) }) }),
    ],
    [
      'a closed input',
      withCall({
        input: Type.Object(
          { a: Type.String(), b: Type.Optional(Type.Integer()) },
          { additionalProperties: false },
        ),
      }),
    ],
    [
      'an open input',
      withCall({
        input: Type.Object(
          { a: Type.String(), b: Type.Optional(Type.Integer()) },
          { additionalProperties: true },
        ),
      }),
    ],
    [
      'a format',
      withCall({
        input: Type.Object({ a: Type.String({ format: 'uuid' }), b: Type.Optional(Type.Integer()) }),
      }),
    ],
    ['an ack of an event', withEvent({ ack: Type.Null() })],
    ['a recoverable event', withEvent({ delivery: 'recoverable' })],
    ['another payload', withEvent({ payload: Type.Object({ id: Type.Integer() }) })],
    ['other params', withRoom({ params: Type.Object({ id: Type.Integer() }) })],
    ['an event of a room', withRoom({ events: {} })],
    ['a presence', withRoom({ presence: Type.Null() })],
    ['a history', withRoom({ history })],
    ['a key', withRoom({ events: { e: { ...event, delivery: 'latest', key: 'id' } } })],
  ]

  it('with anything that is on the wire, each time to another value', () => {
    const seen = new Map<string, string>()
    for (const [title, value] of hashes) {
      expect([title, seen.get(value)]).toEqual([title, undefined])
      seen.set(value, title)
    }
  })

  it('with the key by which the newest is kept', () => {
    const payload = Type.Object({ id: Type.String(), at: Type.Integer() })
    const kept = (key: string) => withRoom({ events: { e: { payload, delivery: 'latest', key } } })
    expect(kept('id')).not.toBe(kept('at'))
  })

  it('with letters that other hashes confuse', () => {
    expect(hash({ calls: { ab: call } })).not.toBe(hash({ calls: { 慢: call } }))
  })

  it('with the structure of what contains itself', () => {
    const one = Type.Recursive((This) => Type.Object({ a: Type.Optional(This) }))
    const two = Type.Recursive((This) => Type.Object({ a: Type.Array(This) }))
    expect(around(one)).not.toBe(around(two))
  })
})
