/** The server that a client which is not ours talks to. */
import type { AddressInfo } from 'node:net'
import Fastify from 'fastify'
import { call, defineContract, event, room, Type } from '../../contract/index.js'
import { ackord, namespace } from '../../plugins/index.js'

const Text = Type.Object({ text: Type.String() })
const Room = Type.Object({ id: Type.String() })
const Nothing = Type.Object({})

const contract = defineContract({
  name: 'foreign',
  version: '1.0.0',
  calls: {
    echo: call({ input: Text, ack: Text }),
    reverse: call({
      input: Type.Object({ bytes: Type.Uint8Array() }),
      ack: Type.Object({ bytes: Type.Uint8Array() }),
    }),
    nudge: call({ input: Text, delivery: 'volatile' }),
    wait: call({ input: Nothing, ack: Type.Null() }),
    brew: call({ input: Nothing, errors: { TEAPOT: Type.Object({ ounces: Type.Integer() }) } }),
    broken: call({ input: Nothing }),
    rare: call({ input: Nothing, ack: Type.Null() }),
    count: call({
      input: Type.Object({ to: Type.Integer() }),
      item: Type.Integer(),
      ack: Type.Object({ count: Type.Integer() }),
    }),
    publish: call({
      input: Type.Object({ id: Type.String(), event: Type.String(), value: Type.Integer() }),
      ack: Type.Null(),
    }),
    offer: call({ input: Nothing, ack: Type.Any() }),
    end: call({
      input: Type.Object({ how: Type.String(), room: Type.Optional(Type.String()) }),
      ack: Type.Null(),
    }),
  },
  events: {
    notice: event({ payload: Text }),
    offer: event({ payload: Text, ack: Type.Object({ accepted: Type.Boolean() }) }),
  },
  rooms: {
    hall: room({
      params: Room,
      events: {
        posted: event({ payload: Type.Object({ value: Type.Integer() }), delivery: 'recoverable' }),
        passing: event({ payload: Type.Object({ value: Type.Integer() }) }),
        price: event({
          payload: Type.Object({ of: Type.String(), value: Type.Integer() }),
          delivery: 'latest',
          key: 'of',
        }),
      },
      history: { messages: 5, seconds: 60 },
    }),
  },
})

/** Starts it on a free port; `bugs` are the lines of its log at level error that name no planned failure. */
export async function startForeign() {
  const app = Fastify({ forceCloseConnections: true, trustProxy: '127.0.0.1' })
  await app.register(ackord, {
    ...{
      maxLag: 60_000,
      grace: 3000,
      heartbeat: 1000,
      handshakeTimeout: 3000,
      maxStreams: 2,
      compression: true,
    },
  })
  const live = namespace(contract, {
    path: '/live',
    authenticate: ({ token }) => {
      const [, ms, id] = /^for-(\d+)-(\w+)$/.exec(token) ?? []
      if (token === 'bad') return null
      return ms === undefined || id === undefined ? { id: token } : { id, expiresAt: Date.now() + Number(ms) }
    },
  })
  await app.register(
    live.plugin({
      calls: {
        echo: (input) => input,
        reverse: ({ bytes }) => ({ bytes: bytes.toReversed() }),
        nudge: (input, { connection }) => void connection.send('notice', input),
        wait: (_input, { signal }) =>
          new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
        brew: (_input, { fail }) => fail('TEAPOT', { ounces: 8 }),
        broken: () => {
          throw new Error('planned')
        },
        rare: () => null,
        async *count({ to }) {
          for (let n = 1; n <= to; n++) yield n
          return { count: to }
        },
        publish: async ({ id, event, value }, { rooms }) => {
          const hall = rooms.hall({ id })
          if (event === 'posted') await hall.publish('posted', { value })
          else if (event === 'price') await hall.publish('price', { of: 'tea', value })
          else await hall.publish('passing', { value })
          return null
        },
        offer: (_input, { connection }) => connection.ask('offer', { text: 'tea' }, { timeout: 5000 }),
        end: async ({ how, room: id }, { connection, rooms }) => {
          if (how === 'app') setImmediate(() => void app.close())
          else if (how === 'evict' && id !== undefined) await rooms.hall({ id }).evict(connection)
          else if (how === 'revoke') await app.ackord(live).revoke({ session: connection.session })
          else if (how === 'reauthenticate') connection.disconnect('reauthenticate')
          else connection.disconnect('kicked')
          return null
        },
      },
      rooms: { hall: { join: ({ id }) => id !== 'closed' } },
      limits: { rare: { max: 1, seconds: 60, per: 'connection' } },
    }),
  )
  await app.listen({ port: 0, host: '127.0.0.1' })
  const { port } = app.server.address() as AddressInfo
  return { port, hash: contract.hash, close: () => app.close() }
}
