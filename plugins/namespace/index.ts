/** The typed face of the other plugins: `namespace()` and `app.ackord(live)`. */
import type { FastifyPluginAsync } from 'fastify'
import fp from 'fastify-plugin'
import { clusterOf } from '../cluster/index.js'
import { AckordError } from '../errors.js'
import type { Mount } from '../gateway/index.js'
import { viewOf } from './connection-view.js'
import { LiveView } from './live.js'
import { serveQuestions } from './questions.js'
import { serveSends } from './sends.js'
import type { AckordDecorator } from './types.js'

/** Registers `app.ackord`; needs the gateway, the cluster, auth, calls and rooms. */
export const namespacePlugin: FastifyPluginAsync = fp(
  async (app) => {
    const { gateway, addHook } = app.ackordGateway
    serveQuestions(clusterOf(gateway), gateway)
    serveSends(clusterOf(gateway), gateway)
    const lives = new Map<Mount, LiveView>()
    const liveOf = (mount: Mount): LiveView => {
      let live = lives.get(mount)
      if (live === undefined) {
        live = new LiveView(mount)
        lives.set(mount, live)
      }
      return live
    }
    addHook('onMount', (mount) => {
      if (mount.definition.parts.limits !== undefined && !app.hasPlugin('@ackord/rate-limit')) {
        throw new AckordError('ACKORD_PLUGIN_MISSING', 'limits need @ackord/rate-limit')
      }
      const hasPresence = Object.values(mount.contract.rooms ?? {}).some(
        ({ presence }) => presence !== undefined,
      )
      if (hasPresence && !app.hasPlugin('@ackord/presence'))
        throw new AckordError('ACKORD_PLUGIN_MISSING', 'rooms with presence need @ackord/presence')
      const hasInbox = Object.values(mount.contract.events ?? {}).some(
        ({ delivery }) => delivery === 'recoverable',
      )
      if (hasInbox && !app.hasPlugin('@ackord/inbox'))
        throw new AckordError('ACKORD_PLUGIN_MISSING', 'recoverable events outside rooms need @ackord/inbox')
      mount.surface = { rooms: liveOf(mount).room, connection: viewOf }
    })
    const find = (handle: object): LiveView => liveOf(gateway.mountOf(handle))
    // The one place where the views take on the contract's types.
    app.decorate('ackord', find as unknown as AckordDecorator)
  },
  {
    name: '@ackord/namespace',
    fastify: '5.x',
    dependencies: ['@ackord/gateway', '@ackord/cluster', '@ackord/auth', '@ackord/calls', '@ackord/rooms'],
  },
)

export { namespace } from './namespace.js'
export type * from './types.js'
