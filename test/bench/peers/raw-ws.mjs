/** ws alone, echoing the bytes: the measure of calls. */
import { listenWs } from '../harness/peer.mjs'

/** @type {import('../harness/peer.mjs').Dialect & import('../harness/peer.mjs').RpcDialect} */
export const dialect = {
  path: '/',
  headers: {},
  heartbeats: {},
  open: () => ({ open: true }),
  request: (_id, message) => JSON.stringify(message),
  idAt: '{"id":'.length,
  answer(text) {
    const value = JSON.parse(text)
    return { id: value.id, value }
  },
}

/** @type {import('../harness/peer.mjs').Peer} */
export default {
  name: 'raw-ws',
  rpc: {
    async serve() {
      return listenWs((socket) => {
        socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }))
      })
    },
    dialect,
  },
}
