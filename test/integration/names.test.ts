import Fastify from 'fastify'
import { expect, it } from 'vitest'
import { call, defineContract, event, room, Type } from '../../contract/index.js'
import { ackord, namespace } from '../../plugins/index.js'
import { joined } from './support.js'

const NAMES = [
  'constructor',
  'a-b',
  'délivrer',
  'class',
  'room',
  'on',
  'toString',
  'valueOf',
  'calls',
  '1st',
  'with space',
]

const each = <T>(make: (name: string) => T): Record<string, T> =>
  Object.fromEntries(NAMES.map((name) => [name, make(name)]))

const contract = defineContract({
  name: 'names',
  version: '1.0.0',
  calls: {
    ...each(() => call({ input: Type.Object({ k: Type.String() }), ack: Type.String() })),
    'group.constructor': call({ input: Type.Object({}), ack: Type.String() }),
  },
  events: each(() => event({ payload: Type.String(), ack: Type.String() })),
  rooms: each(() =>
    room({
      params: Type.Object({ k: Type.String() }),
      events: each(() => event({ payload: Type.String() })),
    }),
  ),
})

it('carries names that are special elsewhere through contract, server, generated file and client', async () => {
  const live = namespace(contract, { path: '/live', authenticate: ({ token }) => ({ id: token }) })
  const app = Fastify()
  await app.register(ackord)
  const calls = {
    ...each((name) => (input: { k: string }) => `${name} ${input.k}`),
    'group.constructor': () => 'grouped',
  }
  await app.register(live.plugin({ calls, rooms: each(() => ({ join: () => true })) }))
  const { enter } = await joined(app, contract)
  const client = enter('alice')

  for (const name of NAMES) {
    expect(await client.calls[name]?.({ k: 'x' })).toBe(`${name} x`)
    client.events.handle(name, (payload) => `${payload} heard`)
    expect(await app.ackord(live).user('alice').ask(name, 'event')).toEqual({
      status: 'answered',
      value: 'event heard',
    })

    const handle = client.rooms[name]?.({ k: 'key' })
    const heard: unknown[] = []
    for (const eventName of NAMES) handle?.on(eventName, (payload) => heard.push([eventName, payload]))
    expect(await handle?.join()).toMatchObject({ ok: true })
    const served = app.ackord(live).room[name]?.({ k: 'key' })
    for (const eventName of NAMES) await served?.publish(eventName, 'hi')
    await expect.poll(() => heard).toEqual(NAMES.map((eventName) => [eventName, 'hi']))
  }
  expect(await client.calls.group?.constructor({})).toBe('grouped')
})
