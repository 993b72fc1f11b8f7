/** ws alone, `client.send(text)` to one after the other: the measure of fan-out. */
import { listenWs } from '../harness/peer.mjs'

/** @type {import('../harness/peer.mjs').Dialect & import('../harness/peer.mjs').FanoutDialect} */
export const dialect = {
  path: '/',
  headers: {},
  heartbeats: {},
  open: () => ({ open: true }),
  publication(text) {
    const value = JSON.parse(text)
    return { id: value.id, value }
  },
}

/** @type {import('../harness/peer.mjs').Peer} */
export default {
  name: 'send-loop',
  fanout: {
    async serve() {
      const { clients, ...server } = await listenWs(() => {})
      return {
        ...server,
        publish(payload) {
          const text = JSON.stringify(payload)
          for (const client of clients) client.send(text)
        },
      }
    },
    dialect,
  },
}
