import { Type } from '@sinclair/typebox'
import { describe, expect, it } from 'vitest'
import { checkContract, HISTORY_BOUNDS, MAX_NAMES } from '../../contract/check.js'
import type {
  CallDefinition,
  ContractDefinition,
  EventDefinition,
  RoomDefinition,
} from '../../contract/contract.js'
import { defineContract } from '../../contract/contract.js'
import { ERRORS } from '../../contract/wire/errors.js'
import { contractOf, refusal } from './support/contracts.js'

const call: CallDefinition = { input: Type.Object({}) }
const event: EventDefinition = { payload: Type.Object({ id: Type.String() }) }
const room: RoomDefinition = { params: Type.Object({}), events: {} }
const history = { messages: 10, seconds: 10 }

const refusedCall = (parts: Partial<CallDefinition>) =>
  refusal(() => contractOf({ calls: { it: { ...call, ...parts } } }))
const refusedEvent = (parts: Partial<EventDefinition>) =>
  refusal(() => contractOf({ events: { it: { ...event, ...parts } } }))
const refusedRoom = (parts: Partial<RoomDefinition>) =>
  refusal(() => contractOf({ rooms: { it: { ...room, ...parts } } }))
const refusedWhole = (parts: Partial<ContractDefinition>) => refusal(() => contractOf(parts))
const refusedRoomEvent = (parts: Partial<EventDefinition>) =>
  refusedRoom({ events: { e: { ...event, ...parts } } })
/** What a program in JavaScript, or a file, may hand over. */
const refusedUntyped = (value: unknown) => refusal(() => checkContract(value as ContractDefinition))

describe('names', () => {
  it.each([
    'a-b',
    'délivrer',
    'class',
    'constructor',
    'room',
    'on',
    'toString',
    'a.b.c',
    'a.constructor',
    '漢字',
    'a b',
    '😀',
  ])('%j is fine and stays as written', (name) => {
    const contract = contractOf({
      calls: { [name]: call },
      events: { [name]: event },
      rooms: { [name]: { ...room, events: { [name]: event } } },
    })
    expect(Object.keys(contract.calls ?? {})).toEqual([name])
  })

  it.each([
    ['', 'calls[""]', 'must not be empty'],
    ['a'.repeat(129), `calls.${'a'.repeat(129)}`, 'longer than 128'],
    ['a..b', 'calls["a..b"]', 'empty segment'],
    ['.a', 'calls[".a"]', 'empty segment'],
    ['a.', 'calls["a."]', 'empty segment'],
    ['then', 'calls.then', 'segment then'],
    ['a.then.b', 'calls["a.then.b"]', 'segment then'],
    ['a.__proto__', 'calls["a.__proto__"]', 'segment __proto__'],
    ['a\nb', 'calls["a\\nb"]', 'control character'],
    ['a\u0085b', 'calls["a\u0085b"]', 'control character'],
    ['a\ud800', 'calls["a\\ud800"]', 'surrogate'],
  ])('%j is refused', (name, path, problem) => {
    const refused = refusal(() => contractOf({ calls: { [name]: call } }))
    expect(refused.path).toBe(path)
    expect(refused.message).toContain(problem)
  })

  it('an own __proto__ is refused and not taken for a prototype', () => {
    const calls: unknown = JSON.parse('{"__proto__": {"input": {"type": "object", "properties": {}}}}')
    expect(refusedUntyped({ name: 'n', version: '1', calls }).path).toBe('calls.__proto__')
  })

  it('128 characters are the longest', () => {
    expect(() => contractOf({ calls: { ['a'.repeat(128)]: call } })).not.toThrow()
  })

  it('a name that is the group of another is refused in each map', () => {
    const names = { 'message.send.now': call, message: call }
    expect(refusal(() => contractOf({ calls: names }))).toMatchObject({
      path: 'calls.message',
      message: 'calls.message: is also the group of message.send.now; rename one of them',
    })
    const events = { 'a.b': event, a: event }
    expect(refusal(() => contractOf({ events })).path).toBe('events.a')
    expect(refusal(() => contractOf({ rooms: { 'a.b': room, a: room } })).path).toBe('rooms.a')
    expect(refusedRoom({ events }).path).toBe('rooms.it.events.a')
    expect(() => contractOf({ calls: { ab: call, 'a.b': call }, events: { a: event } })).not.toThrow()
  })

  it('the contract has a name and a version of one line', () => {
    expect(refusal(() => contractOf({ name: '' })).path).toBe('name')
    expect(refusal(() => contractOf({ version: '' })).path).toBe('version')
    expect(refusal(() => contractOf({ name: 'a\u0000' })).path).toBe('name')
    expect(refusal(() => contractOf({ version: '1'.repeat(129) })).path).toBe('version')
  })

  it(`${MAX_NAMES} names are the most, events of rooms counted`, () => {
    const many = (n: number) => Object.fromEntries(Array.from({ length: n }, (_, i) => [`n${i}`, event]))
    const rooms = { it: { ...room, events: many(MAX_NAMES - 2) } }
    expect(() => contractOf({ rooms, calls: { one: call } })).not.toThrow()
    expect(refusal(() => contractOf({ rooms, calls: { one: call, two: call } })).path).toBe('contract')
  })

  it('a contract of nothing is fine', () => {
    expect(contractOf({}).hash).toMatch(/^[0-9a-f]{16}$/)
  })
})

describe('errors of calls', () => {
  it.each(['closed', 'A-B', '_A', '1A', 'É', 'Aa', ''])('the code %j is refused', (code) => {
    expect(refusedCall({ errors: { [code]: Type.Null() } }).path).toMatch(/^calls\.it\.errors/)
  })

  it.each(Object.keys(ERRORS))('%s is ackord’s own', (code) => {
    expect(refusedCall({ errors: { [code]: Type.Null() } })).toMatchObject({
      path: `calls.it.errors.${code}`,
    })
  })

  it('any other code in upper case is fine', () => {
    const errors = { A: Type.Null(), CHANNEL_CLOSED_2: Type.Object({}), NO_HANDLER: Type.Null() }
    expect(() => contractOf({ calls: { it: { ...call, errors } } })).not.toThrow()
  })
})

describe('deliveries', () => {
  it('of a call are the four', () => {
    for (const delivery of ['attempt', 'repeat', 'once', 'volatile'] as const) {
      expect(() => contractOf({ calls: { it: { ...call, delivery } } })).not.toThrow()
    }
    expect(
      refusedUntyped({ name: 'n', version: '1', calls: { it: { ...call, delivery: 'twice' } } }),
    ).toMatchObject({
      path: 'calls.it.delivery',
      message: "calls.it.delivery: must be one of 'attempt', 'repeat', 'once', 'volatile'",
    })
  })

  it('of an event are the three', () => {
    const events = { it: { ...event, delivery: 'once' } }
    expect(refusedUntyped({ name: 'n', version: '1', events }).path).toBe('events.it.delivery')
  })

  it('a volatile call has nothing to answer with', () => {
    const delivery = 'volatile'
    expect(refusedCall({ delivery, ack: Type.Null() }).path).toBe('calls.it.ack')
    expect(refusedCall({ delivery, errors: { A: Type.Null() } }).path).toBe('calls.it.errors')
    expect(refusedCall({ delivery, item: Type.Null() }).path).toBe('calls.it.item')
  })

  it('a stream is attempted', () => {
    expect(refusedCall({ item: Type.Null(), delivery: 'once' }).path).toBe('calls.it.delivery')
    expect(refusedCall({ item: Type.Null(), delivery: 'repeat' }).path).toBe('calls.it.delivery')
    expect(() =>
      contractOf({
        calls: { a: { ...call, item: Type.Null() }, b: { ...call, item: Type.Null(), delivery: 'attempt' } },
      }),
    ).not.toThrow()
  })

  it('a recoverable event of a room needs a history, one outside rooms does not', () => {
    const delivery = 'recoverable'
    expect(refusedRoomEvent({ delivery }).path).toBe('rooms.it.events.e.delivery')
    expect(() => contractOf({ events: { e: { ...event, delivery } } })).not.toThrow()
    const rooms = { it: { ...room, history, events: { e: { ...event, delivery } } } } as const
    expect(() => contractOf({ rooms })).not.toThrow()
  })

  it('an ack is of events outside rooms that are not recoverable', () => {
    expect(refusedRoomEvent({ ack: Type.Null() }).path).toBe('rooms.it.events.e.ack')
    expect(refusedEvent({ ack: Type.Null(), delivery: 'recoverable' }).path).toBe('events.it.ack')
    expect(() => contractOf({ events: { e: { ...event, ack: Type.Null() } } })).not.toThrow()
  })
})

describe('latest', () => {
  const latest = (payload: EventDefinition['payload'], key?: string): Partial<EventDefinition> => ({
    payload,
    delivery: 'latest',
    ...(key !== undefined && { key }),
  })
  const at = 'rooms.it.events.e'

  it('is kept by a room', () => {
    expect(refusedEvent(latest(event.payload, 'id')).path).toBe('events.it.delivery')
  })

  it('needs a key, and a key needs it', () => {
    expect(refusedRoomEvent(latest(event.payload)).path).toBe(`${at}.key`)
    expect(refusedRoomEvent({ key: 'id' }).path).toBe(`${at}.key`)
    expect(refusedRoomEvent({ key: 'id', delivery: 'volatile' }).path).toBe(`${at}.key`)
    expect(refusedEvent({ key: 'id' }).path).toBe('events.it.key')
  })

  it.each([
    ['a property that is not declared', Type.Object({ a: Type.String() }), 'b'],
    ['a property that every object has', Type.Object({ a: Type.String() }), 'constructor'],
    ['one that may be absent', Type.Object({ a: Type.Optional(Type.String()) }), 'a'],
    ['a boolean', Type.Object({ a: Type.Boolean() }), 'a'],
    ['an object', Type.Object({ a: Type.Object({}) }), 'a'],
    ['null or a string', Type.Object({ a: Type.Union([Type.Null(), Type.String()]) }), 'a'],
    ['a literal boolean', Type.Object({ a: Type.Literal(true) }), 'a'],
    ['anything', Type.Object({ a: Type.Unknown() }), 'a'],
  ])('refuses %s as key', (_, payload, key) => {
    expect(refusedRoomEvent(latest(payload, key)).path).toBe(`${at}.key`)
  })

  it('refuses a payload that is no object', () => {
    expect(refusedRoomEvent(latest(Type.Array(Type.String()), 'length')).path).toBe(`${at}.payload`)
  })

  it.each([
    Type.String(),
    Type.Integer(),
    Type.Number(),
    Type.Literal('a'),
    Type.Enum({ A: 'a', B: 1 }),
    Type.TemplateLiteral([Type.Literal('a'), Type.String()]),
    Type.Union([Type.String(), Type.Union([Type.Literal(1), Type.Integer()])]),
  ])('takes a string or number: %j', (property) => {
    const events = { e: { ...event, ...latest(Type.Object({ a: property }), 'a') } }
    expect(() => contractOf({ rooms: { it: { ...room, events } } })).not.toThrow()
  })

  it('takes a payload that is referred to', () => {
    const Price = Type.Object({ symbol: Type.String() }, { $id: 'Price' })
    const events = { e: { ...event, ...latest(Type.Ref('Price'), 'symbol') } }
    expect(() =>
      contractOf({ rooms: { it: { ...room, events } }, calls: { it: { input: Price } } }),
    ).not.toThrow()
  })
})

describe('rooms', () => {
  it.each([
    ['an object', Type.Object({}), 'a'],
    ['a list', Type.Array(Type.String()), 'a'],
    ['null', Type.Null(), 'a'],
    ['a string or null', Type.Union([Type.String(), Type.Null()]), 'a'],
    ['anything', Type.Unknown(), 'a'],
    ['a record', Type.Record(Type.String(), Type.String()), 'b-c'],
  ])('params refuse %s', (_, property, name) => {
    const place = name === 'a' ? '.a' : '["b-c"]'
    expect(refusedRoom({ params: Type.Object({ [name]: property }) }).path).toBe(
      `rooms.it.params.properties${place}`,
    )
  })

  it('params name each of their properties', () => {
    const params = Type.Object({}, { additionalProperties: true })
    expect(refusedRoom({ params }).path).toBe('rooms.it.params.additionalProperties')
    expect(refusedRoom({ params: Type.Object({}, { additionalProperties: Type.String() }) }).path).toBe(
      'rooms.it.params.additionalProperties',
    )
    expect(
      refusedUntyped({ name: 'n', version: '1', rooms: { it: { ...room, params: Type.String() } } }).path,
    ).toBe('rooms.it.params')
  })

  it('params take scalars, literals and unions of them, optional ones too', () => {
    const params = Type.Object(
      {
        a: Type.String(),
        b: Type.Integer(),
        c: Type.Optional(Type.Boolean()),
        d: Type.Union([Type.Literal('x'), Type.Literal(1)]),
        e: Type.Enum({ A: 'a' }),
        f: Type.Unsafe<'y'>({ enum: ['y', 'z'] }),
      },
      { additionalProperties: false },
    )
    expect(() => contractOf({ rooms: { it: { ...room, params } } })).not.toThrow()
  })

  it.each(['messages', 'seconds', 'bytes'] as const)('inbox.%s has bounds', (key) => {
    const [least, most] = HISTORY_BOUNDS[key]
    const events = { e: { ...event, delivery: 'recoverable' } } as const
    for (const value of [least, most]) contractOf({ events, inbox: { ...history, [key]: value } })
    for (const value of [least - 1, most + 1]) {
      expect(refusedWhole({ events, inbox: { ...history, [key]: value } }).path).toBe(`inbox.${key}`)
    }
  })

  it('an inbox needs a recoverable event outside rooms', () => {
    const delivery = 'recoverable'
    const rooms = { it: { ...room, history, events: { e: { ...event, delivery } } } } as const
    expect(refusedWhole({ events: { e: event }, rooms, inbox: history }).path).toBe('inbox')
    expect(refusedWhole({ inbox: history }).path).toBe('inbox')
  })

  it.each(['messages', 'seconds', 'bytes'] as const)('history.%s has bounds', (key) => {
    const [least, most] = HISTORY_BOUNDS[key]
    const path = `rooms.it.history.${key}`
    expect(() =>
      contractOf({ rooms: { it: { ...room, history: { ...history, [key]: least } } } }),
    ).not.toThrow()
    expect(() =>
      contractOf({ rooms: { it: { ...room, history: { ...history, [key]: most } } } }),
    ).not.toThrow()
    for (const value of [least - 1, most + 1, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(refusedRoom({ history: { ...history, [key]: value } }).path).toBe(path)
    }
  })
})

describe('the shape of a contract', () => {
  const base = { name: 'n', version: '1' }

  it.each([
    [null, 'contract'],
    ['contract', 'contract'],
    [[], 'contract'],
    [new Map(), 'contract'],
    [{}, 'name'],
    [{ name: 'n' }, 'version'],
    [{ ...base, calls: [] }, 'calls'],
    [{ ...base, calls: { it: null } }, 'calls.it'],
    [{ ...base, calls: { it: {} } }, 'calls.it.input'],
    [{ ...base, calls: { it: { ...call, Ack: Type.Null() } } }, 'calls.it.Ack'],
    [{ ...base, calls: { it: { ...call, description: 1 } } }, 'calls.it.description'],
    [{ ...base, calls: { it: { ...call, errors: [] } } }, 'calls.it.errors'],
    [{ ...base, events: { it: {} } }, 'events.it.payload'],
    [{ ...base, events: { it: { ...event, key: 1 } } }, 'events.it.key'],
    [{ ...base, rooms: { it: { events: {} } } }, 'rooms.it.params'],
    [{ ...base, rooms: { it: { params: Type.Object({}) } } }, 'rooms.it.events'],
    [{ ...base, rooms: { it: { ...room, history: { messages: 1 } } } }, 'rooms.it.history.seconds'],
    [{ ...base, rooms: { it: { ...room, history: { ...history, days: 1 } } } }, 'rooms.it.history.days'],
    [{ ...base, inbox: { messages: 1 } }, 'inbox.seconds'],
    [{ ...base, inbox: { ...history, days: 1 } }, 'inbox.days'],
    [{ ...base, routes: {} }, 'routes'],
  ])('%j is refused', (value, path) => {
    expect(refusedUntyped(value).path).toBe(path)
  })

  it('keys that are undefined count as absent', () => {
    const value = { ...base, description: undefined, calls: { it: { ...call, ack: undefined } } }
    expect(() => checkContract(value as unknown as ContractDefinition)).not.toThrow()
  })

  it('a contract is frozen, keeps what was written, and may be defined again', () => {
    const contract = contractOf({ calls: { it: call } })
    expect(Object.isFrozen(contract)).toBe(true)
    expect(contract.calls?.['it']?.input).toBe(call.input)
    expect(defineContract<ContractDefinition>({ ...contract }).hash).toBe(contract.hash)
  })
})
