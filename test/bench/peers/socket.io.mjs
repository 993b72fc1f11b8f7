/** socket.io over WebSocket only: an event with an acknowledgement, and `to(room).emit`. */
import { createServer } from 'node:http'
import { listen } from '../harness/peer.mjs'

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

/** @param {(socket: import('socket.io').Socket) => void} onConnection */
async function start(onConnection) {
  const { Server } = await import('socket.io')
  const http = createServer()
  const io = new Server(http, { transports: ['websocket'], serveClient: false })
  io.on('connection', onConnection)
  return { io, port: await listen(http) }
}

/** @type {import('../harness/peer.mjs').Peer} */
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
  fanout: {
    async serve() {
      const { io, port } = await start((socket) => void socket.join('general'))
      return { port, publish: (payload) => void io.to('general').emit('posted', payload) }
    },
    dialect: {
      ...dialect,
      publication(text) {
        if (!text.startsWith('42')) return undefined
        const [event, value] = JSON.parse(text.slice(2))
        return event === 'posted' ? { id: value.id, value } : undefined
      },
    },
  },
}
