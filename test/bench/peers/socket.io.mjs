/** socket.io over WebSocket only: an event with an acknowledgement, and `to(room).emit`. */
import { createServer } from 'node:http'
import { fromRoot, listen } from '../harness/peer.mjs'

/** @import { FanoutDialect, Dialect, Peer } from '../harness/peer.mjs' */

/** Engine.IO's packets are '0' open, '2' ping, '3' pong, '4' message; Socket.IO's in it '0' connect, '2' event, '3' ack. */
const dialect = {
  path: '/socket.io/?EIO=4&transport=websocket',
  headers: {},
  heartbeats: { 2: '3' },
  /** @param {string | undefined} text */
  open(text) {
    if (text?.startsWith('0{')) return { send: ['40'] }
    return { open: text?.startsWith('40{') === true }
  },
}

/**
 * @param {(socket: import('socket.io').Socket) => void} onConnection
 * @param {Partial<import('socket.io').ServerOptions>} [options]
 */
async function start(onConnection, options = {}) {
  const { Server } = await import('socket.io')
  const http = createServer()
  const io = new Server(http, { transports: ['websocket'], serveClient: false, ...options })
  io.on('connection', onConnection)
  return { io, port: await listen(http) }
}

/** @type {Dialect & FanoutDialect} */
const member = {
  ...dialect,
  publication(text) {
    if (!text.startsWith('42')) return undefined
    const [event, value] = JSON.parse(text.slice(2))
    return event === 'posted' ? { id: value.id, value } : undefined
  },
}

/** A server of one room, in which everybody is. @param {Partial<import('socket.io').ServerOptions>} [options] */
async function serveRoom(options) {
  const { io, port } = await start((socket) => void socket.join('general'), options)
  return { port, publish: (/** @type {object} */ payload) => void io.to('general').emit('posted', payload) }
}

/**
 * Two servers with an adapter between them.
 * @param {string} name
 * @param {string} needs
 * @param {(redis: import('ioredis').Redis) => Promise<import('socket.io').ServerOptions['adapter']>} adapter
 * @returns {Peer}
 */
export const withAdapter = (name, needs, adapter) => ({
  name,
  needs: ['socket.io', needs],
  redis: {
    dialect: member,
    async serve(path) {
      const redis = new (fromRoot('ioredis').Redis)(path)
      return serveRoom({ adapter: await adapter(redis) })
    },
  },
})

/** @type {Peer} */
export default {
  name: 'socket.io',
  needs: ['socket.io'],
  rpc: {
    async serve() {
      const { port } = await start((socket) => {
        socket.on('message.echo', (message, acknowledge) => acknowledge(message))
      })
      return { port }
    },
    dialect: {
      ...dialect,
      request: (id, message) => `42${id}${JSON.stringify(['message.echo', message])}`,
      idAt: '43'.length,
      answer(text) {
        const [, id, values] = /^43(\d+)(.*)$/.exec(text) ?? []
        return values === undefined ? undefined : { id: Number(id), value: JSON.parse(values)[0] }
      },
    },
  },
  fanout: { serve: () => serveRoom(), dialect: member },
}
