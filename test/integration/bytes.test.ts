import Fastify from 'fastify'
import { describe, expect, it } from 'vitest'
import { call, defineContract, event, room, Type } from '../../contract/index.js'
import { jsonCodec } from '../../contract/wire/codec.js'
import { ackord, namespace } from '../../plugins/index.js'
import { joined } from './support.js'

const Part = Type.Object({ name: Type.String(), data: Type.Uint8Array({ maxByteLength: 1000 }) })
const contract = defineContract({
  name: 'files',
  version: '1.0.0',
  calls: {
    turn: call({
      input: Type.Object({ parts: Type.Array(Part), note: Type.Optional(Type.String()) }),
      ack: Type.Array(Part),
      errors: { TOO_MANY: Type.Object({ first: Type.Uint8Array() }) },
    }),
    read: call({
      input: Type.Object({ times: Type.Integer() }),
      item: Type.Uint8Array(),
      ack: Type.Uint8Array(),
    }),
    raw: call({ input: Type.Unknown(), ack: Type.Unknown(), delivery: 'repeat' }),
  },
  events: {
    told: event({ payload: Part }),
    sign: event({ payload: Type.Object({ nonce: Type.Uint8Array() }), ack: Type.Uint8Array() }),
  },
  rooms: {
    board: room({
      params: Type.Object({ id: Type.String() }),
      events: {
        drawn: event({ payload: Part, delivery: 'recoverable' }),
        cursor: event({ payload: Part, delivery: 'latest', key: 'name' }),
        moved: event({ payload: Type.Union([Type.Uint8Array(), Type.Null()]) }),
      },
      history: { messages: 10, seconds: 60 },
    }),
  },
})

const of = (...bytes: number[]) => new Uint8Array(bytes)
const isPlain = (value: unknown): boolean => Object.getPrototypeOf(value) === Uint8Array.prototype

async function files() {
  const live = namespace(contract, {
    path: '/live',
    authenticate: ({ token }) => ({ id: token }),
  })
  const app = Fastify()
  const seen: unknown[] = []
  // Real time: on a busy machine newcomers would stand in line, which `settle` does not see.
  await app.register(ackord, { maxLag: 60_000 })
  await app.register(
    live.plugin({
      calls: {
        turn: ({ parts }, { fail }) => {
          seen.push(parts)
          if (parts.length > 2) fail('TOO_MANY', { first: parts[0]?.data ?? of() })
          return parts.map(({ name, data }) => ({ name, data: data.toReversed(), undeclared: 1 }))
        },
        read: async function* ({ times }) {
          for (let i = 0; i < times; i++) yield Buffer.from([i])
          return of(255)
        },
        raw: (input) => input,
      },
      rooms: { board: { join: () => true } },
    }),
  )
  const { enter, network } = await joined(app, contract)
  return {
    app,
    live: app.ackord(live),
    network,
    seen,
    binary: (name: string) => enter(name),
    text: (name: string) => enter(name, { codec: jsonCodec }),
  }
}

describe('a contract with bytes', () => {
  it('has a client that sends and gets them as they are, without a word of its user', async () => {
    const { binary, seen } = await files()
    const client = binary('alice')
    const { turn, raw } = client.calls
    const data = Buffer.from([1, 2, 3])
    const answer = turn?.({ parts: [{ name: 'é', data }], note: undefined })
    data.fill(0)
    expect(await answer).toEqual([{ name: 'é', data: of(3, 2, 1) }])
    expect(seen).toEqual([[{ name: 'é', data: of(1, 2, 3) }]])
    expect(isPlain((seen[0] as { data: unknown }[])[0]?.data)).toBe(true)
    const part = { name: 'a', data: of(7) }
    expect(await turn?.result({ parts: [part, part, part] })).toMatchObject({
      ok: false,
      error: { code: 'TOO_MANY', data: { first: of(7) } },
    })
    expect(await turn?.result({ parts: [{ name: 'a', data: 'Bw==' }] })).toMatchObject({
      error: { code: 'INVALID_INPUT', data: { pointer: '/parts/0/data', rule: 'Uint8Array' } },
    })
    expect(await raw?.result(of(1))).toMatchObject({ error: { code: 'INVALID_INPUT' } })
    expect(await raw?.({ any: ['AQ==', null, 1.5] })).toEqual({ any: ['AQ==', null, 1.5] })
  })

  it('is served to clients of JSON, where bytes are base64', async () => {
    const { text, seen } = await files()
    const { turn } = text('bob').calls
    expect(await turn?.({ parts: [{ name: 'AQ==', data: 'AQID' }] })).toEqual([
      { name: 'AQ==', data: 'AwIB' },
    ])
    expect(seen).toEqual([[{ name: 'AQ==', data: of(1, 2, 3) }]])
    expect(await turn?.result({ parts: [{ name: 'a', data: 'AQI' }] })).toMatchObject({
      error: { code: 'INVALID_INPUT', data: { pointer: '/parts/0/data', rule: 'Uint8Array' } },
    })
  })

  it('carries them in events and asks to both at once', async () => {
    const { binary, text, live, network } = await files()
    const clients = [binary('alice'), text('bob')]
    const told: unknown[] = []
    for (const client of clients) {
      client.events.on('told', (payload) => told.push(payload))
      client.events.handle('sign', (payload) => (payload as { nonce: unknown }).nonce)
    }
    await network.settle()
    await live.all.send('told', { name: 'x', data: of(1, 2) })
    const signed = await Promise.all([
      live.user('alice').ask('sign', { nonce: of(9) }),
      live.user('bob').ask('sign', { nonce: of(9) }),
    ])
    expect(told).toEqual([
      { name: 'x', data: of(1, 2) },
      { name: 'x', data: 'AQI=' },
    ])
    expect(signed).toEqual([
      { status: 'answered', value: of(9) },
      { status: 'answered', value: of(9) },
    ])
  })

  it('carries them in rooms, live and replayed, to members of both codecs', async () => {
    const { binary, text, live, network } = await files()
    const board = live.room.board({ id: 'a' })
    await board.publish('drawn', { name: 'first', data: of(1) })
    await board.publish('cursor', { name: 'c', data: of(2) })
    const heard = [binary('alice'), text('bob')].map((client) => {
      const handle = client.rooms['board']?.({ id: 'a' })
      const got: unknown[] = []
      for (const name of ['drawn', 'cursor', 'moved']) handle?.on(name, (payload) => got.push(payload))
      void handle?.join({ last: 5 })
      return got
    })
    await network.settle()
    await board.publish('moved', of(3))
    await board.publish('moved', null)
    await board.publish('drawn', { name: 'second', data: of(4) })
    await network.settle()
    expect(heard).toEqual([
      [
        { name: 'first', data: of(1) },
        { name: 'c', data: of(2) },
        of(3),
        null,
        { name: 'second', data: of(4) },
      ],
      [
        { name: 'first', data: 'AQ==' },
        { name: 'c', data: 'Ag==' },
        'Aw==',
        null,
        { name: 'second', data: 'BA==' },
      ],
    ])
  })

  it('carries them in streams', async () => {
    const { binary, text } = await files()
    for (const [client, as] of [
      [binary('alice'), (byte: number) => of(byte)],
      [text('bob'), (byte: number) => Buffer.from([byte]).toString('base64')],
    ] as const) {
      const items: unknown[] = []
      const stream = client.calls['read']?.({ times: 40 }) as unknown as AsyncIterable<unknown> & {
        result(): Promise<unknown>
      }
      for await (const item of stream) items.push(item)
      expect(items).toEqual(Array.from({ length: 40 }, (_, i) => as(i)))
      expect(await stream.result()).toEqual({ ok: true, value: as(255) })
    }
  })

  it('is at most so large in either codec that its connections can hold it', async () => {
    const { live } = await files()
    // 1.5 is three characters and nine bytes: a value that fits as text may not in binary.
    const wide = namespace(
      defineContract({
        name: 'wide',
        version: '1.0.0',
        events: { all: event({ payload: Type.Array(Type.Number()) }) },
      }),
      { path: '/live', authenticate: 'none' },
    )
    expect(live.connections()).toBeDefined()
    const app = Fastify()
    await app.register(ackord, { maxBuffered: 131_072 })
    await app.register(wide.plugin({}))
    await app.ready()
    const send = (length: number) =>
      app.ackord(wide).all.send(
        'all',
        Array.from({ length }, () => 1.5),
      )
    await send(13_000)
    await expect(send(14_000)).rejects.toMatchObject({ code: 'ACKORD_INVALID_PAYLOAD' })
    await app.close()
  })
})
