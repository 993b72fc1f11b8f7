/** A node that can stand in a process of its own: the same app as its siblings. */
import type { AddressInfo } from 'node:net'
import Fastify from 'fastify'
import { Redis } from 'ioredis'
import { defineContract, event, room, Type } from '../../../contract/index.js'
import { clusterOf } from '../../../plugins/cluster/index.js'
import { ackord, namespace } from '../../../plugins/index.js'

/** One room, and one question whose answer has bytes. */
export const contract = defineContract({
  name: 'nodes',
  version: '1.0.0',
  events: {
    offer: event({
      payload: Type.Object({ id: Type.String(), picture: Type.Uint8Array() }),
      ack: Type.Object({
        accepted: Type.Boolean(),
        picture: Type.Uint8Array(),
        more: Type.Optional(Type.Unknown()),
      }),
    }),
  },
  rooms: { hall: room({ params: Type.Object({ id: Type.String() }), events: {} }) },
})

/** Everybody is who they say. */
export const live = namespace(contract, { path: '/live', authenticate: ({ token }) => ({ id: token }) })

/** Serves it on a free port of the loopback. */
export async function startApp(redisPort: number) {
  const redis = new Redis(redisPort, '127.0.0.1', { lazyConnect: true })
  redis.on('error', () => {})
  const app = Fastify()
  await app.register(ackord, { redis, grace: 500, maxLag: 60_000, maxPayload: 1_048_576 })
  await app.register(live.plugin({ rooms: { hall: { join: () => true } } }))
  app.addHook('onClose', async () => redis.disconnect())
  await app.listen({ port: 0, host: '127.0.0.1' })
  const { port } = app.server.address() as AddressInfo
  const cluster = clusterOf(app.ackordGateway.gateway)
  return { app, live: app.ackord(live), cluster, url: `ws://127.0.0.1:${port}/live` }
}
