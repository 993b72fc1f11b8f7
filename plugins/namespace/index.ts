/** The typed face of the other plugins: `namespace()` and `app.ackord(live)`. */
import type { FastifyPluginAsync } from 'fastify'
import fp from 'fastify-plugin'
import type { Mount } from '../gateway/index.js'
import { LiveView, viewOf } from './live.js'
import type { AckordDecorator } from './types.js'

/** Registers `app.ackord`; needs the gateway, calls and rooms. */
export const namespacePlugin: FastifyPluginAsync = fp(
  async (app) => {
    const { gateway, addHook } = app.ackordGateway
    const lives = new Map<Mount, LiveView>()
    addHook('onMount', (mount) => {
      const live = new LiveView(mount)
      lives.set(mount, live)
      mount.surface = { rooms: live.room, connection: viewOf }
    })
    const find = (handle: object): LiveView | undefined => lives.get(gateway.mountOf(handle))
    // The one place where the views take on the contract's types.
    app.decorate('ackord', find as unknown as AckordDecorator)
  },
  {
    name: '@ackord/namespace',
    fastify: '5.x',
    dependencies: ['@ackord/gateway', '@ackord/auth', '@ackord/calls', '@ackord/rooms'],
  },
)

export { namespace } from './namespace.js'
export type * from './types.js'
