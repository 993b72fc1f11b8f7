/** Presence: who is in a room, on all nodes, and what they show. Takes PRESENCE of each namespace that has any; made of hooks. */
import type { FastifyPluginAsync } from 'fastify'
import fp from 'fastify-plugin'
import { clusterOf } from '../cluster/index.js'
import { AckordError } from '../errors.js'
import type { Mount } from '../gateway/index.js'
import { redisOf } from '../redis/index.js'
import { Places } from './places.js'
import { Presences } from './service.js'
import { compileStates } from './states.js'
import { MemoryPresence } from './store-memory.js'
import { RedisPresence } from './store-redis.js'

const services = new WeakMap<Mount, Presences>()

/** Registers presence; needs the gateway, the cluster and rooms. */
export const presencePlugin: FastifyPluginAsync = fp(
  async (app) => {
    const { gateway, addHook } = app.ackordGateway
    const hub = redisOf(gateway)
    const { random = Math.random } = gateway.options
    const store = hub === undefined ? new MemoryPresence() : new RedisPresence(hub, random)
    const all: Presences[] = []
    const sync = (): Promise<unknown> => Promise.all(all.map((presences) => presences.sync()))
    const places = new Places(
      clusterOf(gateway),
      store,
      () => void sync(),
      (error) => app.log.debug({ err: error }, 'ackord: presence could not be cleared yet'),
    )
    // Namespaces without presence pay nothing for it. Known before rooms take the hooks, in their `onMount`.
    const paths = new Set<string>()
    addHook('onRegister', (mount) => {
      if (Object.values(mount.contract.rooms ?? {}).some(({ presence }) => presence !== undefined))
        paths.add(mount.path)
    })
    addHook('onMount', (mount) => {
      const states = new Map(
        Object.entries(mount.contract.rooms ?? {}).flatMap(([name, { presence }]) =>
          presence === undefined ? [] : [[name, compileStates(mount, name, presence)] as const],
        ),
      )
      const presences = new Presences(mount, store, places, states)
      services.set(mount, presences)
      mount.handle('PRESENCE', presences.onPresence)
      if (states.size === 0) return
      all.push(presences)
      if (hub !== undefined) presences.startChecks()
    })
    addHook('onEnter', (info) => presenceOf(info.mount).onEnter(info), paths)
    addHook('onLeave', (info) => presenceOf(info.mount).onLeave(info), paths)
    hub?.onHealth((state) => {
      if (state === 'up') void places.clearOwn().then(sync)
    })
    app.addHook('onClose', async () => {
      await Promise.all(all.map((presences) => presences.close()))
    })
  },
  {
    name: '@ackord/presence',
    fastify: '5.x',
    dependencies: ['@ackord/gateway', '@ackord/cluster', '@ackord/rooms'],
  },
)

/** The presence of a mounted namespace. Throws ACKORD_NOT_MOUNTED; ACKORD_PLUGIN_MISSING where the plugin is not registered. */
export function presenceOf(mount: Mount): Presences {
  const found = services.get(mount)
  if (found !== undefined) return found
  if (!mount.app.hasPlugin('@ackord/presence'))
    throw new AckordError('ACKORD_PLUGIN_MISSING', '@ackord/presence')
  throw new AckordError('ACKORD_NOT_MOUNTED', 'before the app is ready')
}

export type { Presences, PresentMember } from './service.js'
export { LIST_BYTES, MAX_MEMBERS } from './store.js'
