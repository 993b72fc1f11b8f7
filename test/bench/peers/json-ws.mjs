/** ws with JSON.parse and JSON.stringify: what the simplest handler of one's own costs. */
import { listenWs } from '../harness/peer.mjs'
import { dialect } from './raw-ws.mjs'

/** @type {import('../harness/peer.mjs').Peer} */
export default {
  name: 'json-ws',
  rpc: {
    dialect,
    async serve() {
      return listenWs((socket) => {
        socket.on('message', (data) => socket.send(JSON.stringify(JSON.parse(String(data)))))
      })
    },
  },
}
