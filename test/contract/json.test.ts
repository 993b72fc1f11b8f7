import { type TSchema, Type } from '@sinclair/typebox'
import { describe, expect, it } from 'vitest'
import { type ContractJson, contractFromJson, contractToJson } from '../../contract/json.js'
import { compileSerializer } from '../../plugins/calls/serialize.js'
import { contractOf, refusal } from './support/contracts.js'

const Message = Type.Object(
  { id: Type.String(), text: Type.String({ maxLength: 2000 }), at: Type.Optional(Type.Integer()) },
  { $id: 'Message', description: 'What was said' },
)
const contract = contractOf({
  name: 'chat',
  description: 'Talk',
  calls: {
    'message.send': {
      description: 'Says it',
      input: Message,
      ack: Type.Ref('Message'),
      errors: { CLOSED_NOW: Type.Object({ until: Type.Integer() }) },
      delivery: 'once',
    },
    export: { input: Type.Object({}), item: Message, ack: Type.Null() },
  },
  events: {
    offered: { payload: Message, ack: Type.Boolean() },
    mentioned: { payload: Message, delivery: 'recoverable' },
  },
  inbox: { messages: 5, seconds: 50 },
  rooms: {
    channel: {
      params: Type.Object({ id: Type.String() }),
      events: {
        price: { payload: Message, delivery: 'latest', key: 'id' },
        said: { payload: Message, delivery: 'recoverable' },
      },
      presence: Type.Union([Type.Literal('here'), Type.Literal('away')]),
      history: { messages: 10, seconds: 60, bytes: 1000 },
    },
  },
})
const message = {
  $id: 'Message',
  description: 'What was said',
  type: 'object',
  required: ['id', 'text'],
  properties: { id: { type: 'string' }, text: { type: 'string', maxLength: 2000 }, at: { type: 'integer' } },
}
const json = {
  ackord: 1,
  name: 'chat',
  version: '1.0.0',
  description: 'Talk',
  calls: {
    'message.send': {
      description: 'Says it',
      delivery: 'once',
      input: message,
      ack: { $ref: 'Message' },
      errors: {
        CLOSED_NOW: { type: 'object', required: ['until'], properties: { until: { type: 'integer' } } },
      },
    },
    export: { input: { type: 'object', properties: {} }, ack: { type: 'null' }, item: message },
  },
  events: {
    offered: { payload: message, ack: { type: 'boolean' } },
    mentioned: { payload: message, delivery: 'recoverable' },
  },
  inbox: { messages: 5, seconds: 50 },
  rooms: {
    channel: {
      params: { type: 'object', required: ['id'], properties: { id: { type: 'string' } } },
      events: {
        price: { delivery: 'latest', key: 'id', payload: message },
        said: { delivery: 'recoverable', payload: message },
      },
      presence: {
        anyOf: [
          { const: 'here', type: 'string' },
          { const: 'away', type: 'string' },
        ],
      },
      history: { messages: 10, seconds: 60, bytes: 1000 },
    },
  },
} satisfies ContractJson

describe('a contract as JSON', () => {
  it('is what was written, and nothing that JSON does not hold', () => {
    expect(contractToJson(contract)).toStrictEqual(json)
    expect(JSON.parse(JSON.stringify(contractToJson(contract)))).toStrictEqual(json)
  })

  it('reads back as the same contract, which can be served', () => {
    const read = contractFromJson(JSON.parse(JSON.stringify(json)))
    expect(read.hash).toBe(contract.hash)
    expect(contractToJson(read)).toStrictEqual(json)
    const ack: TSchema = read.calls?.['message.send']?.ack ?? Type.Never()
    expect(compileSerializer(read, ack)({ id: '1', text: 'a', secret: 1 })).toBe('{"id":"1","text":"a"}')
  })

  it('a hash in it is made anew, never believed', () => {
    expect(contractFromJson({ ...json, hash: 'ffffffffffffffff' }).hash).toBe(contract.hash)
  })

  it.each([
    [undefined, 'contract'],
    [null, 'contract'],
    ['{}', 'contract'],
    [[], 'contract'],
    [{ name: 'chat', version: '1' }, 'ackord'],
    [{ ...json, ackord: 2 }, 'ackord'],
    [{ ...json, ackord: '1' }, 'ackord'],
    [{ ...json, more: 1 }, 'more'],
    [{ ...json, calls: { a: { input: {}, more: 1 } } }, 'calls.a.more'],
    [
      { ...json, calls: { a: { input: { $ref: 'Nowhere' } } }, events: {}, rooms: {}, inbox: undefined },
      'calls.a.input.$ref',
    ],
    [{ ...json, calls: { a: { input: { type: 'Date' } } } }, 'calls.a.input'],
    [{ ...json, calls: { 'a.then': { input: {} } } }, 'calls["a.then"]'],
  ])('anything else is refused: %#', (value, path) => {
    expect(refusal(() => contractFromJson(value)).path).toBe(path)
  })

  it.each([
    ['{"ackord": 1, "name": "n", "version": "1", "__proto__": {"calls": {}}}', '__proto__'],
    ['{"ackord": 1, "name": "n", "version": "1", "calls": {"__proto__": {"input": {}}}}', 'calls.__proto__'],
    ['{"ackord": 1, "name": "n", "version": "1", "calls": {"a": {"__proto__": {}}}}', 'calls.a.__proto__'],
    [
      '{"ackord": 1, "name": "n", "version": "1", "calls": {"a": {"input": {"type": "null", "__proto__": {}}}}}',
      'calls.a.input.__proto__',
    ],
    [
      '{"ackord": 1, "name": "n", "version": "1", "calls": {"a": {"input": {}, "errors": {"__proto__": {}}}}}',
      'calls.a.errors.__proto__',
    ],
    [
      '{"ackord": 1, "name": "n", "version": "1", "calls": {"a": {"input": {"default": {"a": {"__proto__": 1}}}}}}',
      'calls.a.input.default.a.__proto__',
    ],
  ])('no prototype comes from a file: %s', (text, path) => {
    expect(refusal(() => contractFromJson(JSON.parse(text))).path).toBe(path)
    expect(Object.getPrototypeOf({})).toBe(Object.prototype)
    expect(Reflect.get({}, 'calls')).toBeUndefined()
  })
})
