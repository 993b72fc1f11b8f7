/** ackord with all that is on by default: token checked, schemas both ways, bounded and grouped writes. */
import { fromRoot, listen } from '../harness/peer.mjs'

/** @import { Dialect, FanoutDialect, Part, Peer } from '../harness/peer.mjs' */

const TOKEN = 'bench'
const PARAMS = { channelId: 'general' }

/**
 * Fastify with the contract of both parts mounted. The package is imported as it is published: built.
 * @param {import('../../../plugins/index.js').AckordOptions} options
 */
async function start(options) {
  const { ackord, namespace } = await import('../../../dist/plugins/index.js')
  const live = namespace(await contract(), {
    path: '/bench',
    authenticate: async ({ token }) => {
      if (token !== TOKEN) throw new Error('not the token of the bench')
      return { id: 'load-generator' }
    },
  })
  const app = fromRoot('fastify').default()
  // All of a bench come from one address, as one user, and are not what is measured.
  const caps = {
    maxConnectionsPerAddress: 20_000,
    maxConnectionsPerUser: 20_000,
    maxUpgrades: 20_000,
    maxLag: 60_000,
  }
  await app.register(ackord, { ...caps, ...options })
  await app.register(
    live.plugin({
      calls: { 'message.echo': async (message) => message },
      rooms: { channel: { join: ({ channelId }) => channelId === PARAMS.channelId } },
    }),
  )
  await app.ready()
  return { port: await listen(app.server), live: app.ackord(live) }
}

async function contract() {
  const { call, defineContract, event, room, Type } = await import('../../../dist/contract/index.js')
  const id = Type.Integer()
  const from = Type.String({ maxLength: 64 })
  const text = Type.String({ minLength: 1, maxLength: 2000 })
  const at = Type.Integer()
  const message = Type.Object({ id, channelId: Type.String({ maxLength: 64 }), from, text, at })
  const post = Type.Object({ id, from, text, at, edited: Type.Boolean(), likes: Type.Integer() })
  return defineContract({
    name: 'bench',
    version: '1.0.0',
    calls: { 'message.echo': call({ input: message, ack: message, delivery: 'attempt' }) },
    rooms: {
      channel: room({
        params: Type.Object({ channelId: Type.String() }),
        events: {
          posted: event({ payload: post, delivery: 'volatile' }),
          kept: event({ payload: post, delivery: 'recoverable' }),
        },
        history: { messages: 1000, seconds: 600 },
      }),
    },
  })
}

/** Opens with HELLO and, where there is one, a JOIN. PROTOCOL.md § Opening. @param {string[]} [join] @returns {Dialect} */
const dialect = (join = []) => ({
  path: '/bench',
  headers: { Authorization: `Bearer ${TOKEN}`, 'Sec-WebSocket-Protocol': 'ackord.v1.json' },
  heartbeats: { '[26]': '[10]' },
  open(text, index) {
    if (text === undefined) {
      return { send: [JSON.stringify([1, `bench-${process.pid}-${index}`, 'bench', '1.0.0', []]), ...join] }
    }
    return { open: JSON.parse(text)[0] === (join.length > 0 ? 22 : 17) }
  },
})

/** In the room. @type {Dialect & FanoutDialect} */
const member = {
  ...dialect([JSON.stringify([6, 1, 'channel', PARAMS])]),
  publication(text) {
    const [type, , event, value] = JSON.parse(text)
    return type === 23 && (event === 'posted' || event === 'kept') ? { id: value.id, value } : undefined
  },
}

/**
 * Two nodes, of which one publishes this event.
 * @param {'posted' | 'kept'} event
 * @returns {Part<FanoutDialect>}
 */
export const ackordNodes = (event) => ({
  async serve(path) {
    const { port, live } = await start({ redis: new (fromRoot('ioredis').Redis)(path) })
    const general = live.room.channel(PARAMS)
    return { port, publish: (payload) => void general.publish(event, payload) }
  },
  // Behind a payload that is kept stands its place in the log, which is never the same.
  dialect:
    event === 'kept' ? { ...member, alike: (data, end) => data.lastIndexOf(0x7d, end - 1) + 1 } : member,
})

/**
 * ackord with options of its own.
 * @param {string} name
 * @param {{ groupedWrites?: boolean }} [options]
 * @returns {Peer}
 */
export const ackordPeer = (name, options = {}) => ({
  name,
  build: true,
  rpc: {
    serve: () => start(options),
    dialect: {
      ...dialect(),
      request: (id, message) => JSON.stringify([2, id, 'message.echo', message]),
      idAt: '[18,'.length,
      answer(text) {
        const [type, id, value] = JSON.parse(text)
        return type === 18 ? { id, value } : undefined
      },
    },
  },
  fanout: {
    async serve() {
      const { port, live } = await start(options)
      const general = live.room.channel(PARAMS)
      return { port, publish: (payload) => void general.publish('posted', payload) }
    },
    dialect: member,
  },
  redis: ackordNodes('posted'),
})

export default ackordPeer('ackord')
