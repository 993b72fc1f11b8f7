/** ws, ioredis and one PUBLISH for each publication: what two nodes of one's own would do. */
import { fromRoot, listenWs } from '../harness/peer.mjs'
import { dialect } from './send-loop.mjs'

/** @type {import('../harness/peer.mjs').Peer} */
export default {
  name: 'plain-publish',
  redis: {
    dialect,
    async serve(path) {
      /** @type {import('ioredis').Redis} */
      const publisher = new (fromRoot('ioredis').Redis)(path)
      const subscriber = publisher.duplicate()
      const { clients, ...server } = await listenWs(() => {})
      subscriber.on('message', (_, text) => {
        for (const client of clients) client.send(text)
      })
      await subscriber.subscribe('general')
      return { ...server, publish: (payload) => void publisher.publish('general', JSON.stringify(payload)) }
    },
  },
}
