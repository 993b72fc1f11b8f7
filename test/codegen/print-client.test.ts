import { readFileSync, writeFileSync } from 'node:fs'
import ts from 'typescript'
import { describe, expect, it } from 'vitest'
import { printClient } from '../../codegen/print-client.js'
import {
  type Contract,
  call,
  contractFromJson,
  contractToJson,
  defineContract,
  Type,
} from '../../contract/index.js'
import bytes from './contracts/bytes.js'
import chat from './contracts/chat.js'
import empty from './contracts/empty.js'
import hostile from './contracts/hostile.js'
import { sink } from './contracts/kitchen-sink.js'
import many from './contracts/many.js'

const contracts = { bytes, chat, empty, hostile, 'kitchen-sink': sink }

describe('a generated client', () => {
  // UPDATE_EXPECTED=1 writes the expected files anew; read the difference before you commit it.
  it.each(Object.entries(contracts))('of the contract %s is exactly what is expected', (name, contract) => {
    const file = new URL(`./expected/${name}.client.ts`, import.meta.url)
    const text = printClient(contract)
    if (process.env['UPDATE_EXPECTED'] === '1') writeFileSync(file, text)
    expect(text).toBe(readFileSync(file, 'utf8'))
  })

  it.each(Object.entries({ ...contracts, many }))(
    'of %s is the same from the contract as JSON',
    (_, contract) => {
      const read = contractFromJson(JSON.parse(JSON.stringify(contractToJson(contract))))
      expect(printClient(read)).toBe(printClient(contract))
    },
  )

  it.each(Object.entries({ ...contracts, many }))(
    'of %s hands the names of the contract to the runtime as they are',
    async (_, contract) => {
      const stub =
        'data:text/javascript,export const createClient = (...given) => given; export const stream = "with items", ' +
        'membership = "of rooms", presence = "of members", inbox = "of the user"'
      const binary = 'data:text/javascript,export const msgpack = "in binary"'
      const text = printClient(contract)
        .replace('ackord/client/msgpack', binary)
        .replace('ackord/client', stub)
      const script = ts.transpile(text, { target: ts.ScriptTarget.ES2022 })
      const module: object = await import(`data:text/javascript,${encodeURIComponent(script)}`)
      const [[name, create] = [], ...others] = Object.entries(module)
      expect(others).toEqual([])
      expect(name).toMatch(/^create[A-Z]/)

      const { version, hash, calls = {}, events = {}, rooms = {} }: Contract = contract
      const mapped = <T, U>(map: Readonly<Record<string, T>>, change: (value: T) => U) =>
        Object.fromEntries(Object.entries(map).map(([key, value]) => [key, change(value)]))
      const codec = text.includes('in binary') && { codec: 'in binary' }
      expect(create('wss://example.com', { timeout: 1 })).toEqual([
        {
          ...{ version, hash },
          calls: mapped(calls, ({ delivery = 'attempt', item }) => ({
            delivery,
            ...(item && { stream: 'with items' }),
          })),
          rooms: mapped(rooms, ({ params, presence }) => ({
            membership: 'of rooms',
            params: Object.keys(params.properties),
            ...(presence && { presence: 'of members' }),
          })),
          ...(Object.values(events).some(({ delivery }) => delivery === 'recoverable') && {
            inbox: 'of the user',
          }),
        },
        'wss://example.com',
        { ...codec, timeout: 1 },
      ])
      // A wrapper that hands on what it was not given means the default.
      expect(create('wss://example.com', { codec: undefined })[2]).toEqual({ codec: undefined, ...codec })
      expect(create('wss://example.com', { codec: 'mine' })[2]).toEqual({ codec: 'mine' })
    },
  )

  it('holds no text that hides, and no trailing space', () => {
    expect(printClient(hostile)).not.toMatch(/[^\n\P{Cc}]|[\p{Cf}\p{Cs}\p{Zl}\p{Zp}]| $/mu)
  })

  it('does not depend on how many recursive schemas were made before', () => {
    const make = () => {
      const Tree = Type.Recursive((This) => Type.Object({ below: Type.Array(This) }))
      return defineContract({
        name: 'trees',
        version: '1',
        calls: { get: call({ input: Type.Object({ root: Tree }), ack: Type.Array(Tree) }) },
      })
    }
    const first = printClient(make())
    expect(printClient(make())).toBe(first)
    expect(first).toContain('export interface GetInputNode {\n  below: GetInputNode[]\n}')
    expect(first).toContain('export type GetAck = GetInputNode[]')
  })

  it('imports a type for each kind of call that there is', () => {
    const input = Type.Null()
    const kinds = {
      Call: call({ input }),
      StreamCall: call({ input, item: Type.String() }),
      VolatileCall: call({ input, delivery: 'volatile' }),
    }
    for (const [kind, definition] of Object.entries(kinds)) {
      const text = printClient(defineContract({ name: 'a', version: '1', calls: { a: definition } }))
      expect(text.match(/type (\w*Call)\b/g)).toEqual([`type ${kind}`])
    }
  })

  it('is refused where a $ref leads nowhere', () => {
    const input = Type.Ref('Nobody')
    const contract = { name: 'a', version: '1', hash: '0'.repeat(16), calls: { a: { input } } }
    expect(() => printClient(contract)).toThrow("$ref 'Nobody': no schema")
  })
})
