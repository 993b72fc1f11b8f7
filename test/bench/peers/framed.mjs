/** ws to read, one frame made once per publication and written to every socket: fan-out by hand, ungrouped. */
import { createServer } from 'node:http'
import { fromRoot, listen } from '../harness/peer.mjs'
import { dialect } from './send-loop.mjs'

/** @type {import('../harness/peer.mjs').Peer} */
export default {
  name: 'framed',
  fanout: {
    dialect,
    async serve() {
      const { WebSocketServer } = fromRoot('ws')
      const webSockets = new WebSocketServer({ noServer: true })
      /** @type {Set<import('node:stream').Duplex>} */
      const members = new Set()
      const server = createServer()
      server.on('upgrade', (request, socket, head) => {
        socket.on('close', () => members.delete(socket))
        webSockets.handleUpgrade(request, socket, head, (/** @type {import('ws').WebSocket} */ webSocket) => {
          webSocket.on('error', () => webSocket.terminate())
          members.add(socket)
        })
      })
      return {
        port: await listen(server),
        publish(payload) {
          const frame = textFrame(JSON.stringify(payload))
          for (const member of members) member.write(frame)
        },
      }
    },
  },
}

/** A server's text frame of 126 to 65,535 bytes. RFC 6455 § 5.2. @param {string} text */
function textFrame(text) {
  const length = Buffer.byteLength(text)
  const frame = Buffer.allocUnsafe(4 + length)
  frame[0] = 0x81
  frame[1] = 126
  frame.writeUInt16BE(length, 2)
  frame.write(text, 4)
  return frame
}
