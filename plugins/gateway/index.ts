/** The gateway: upgrades, connections, the writer, hooks. Other plugins build on it through `app.ackordGateway`. */

import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { carriesBytes } from '../../contract/schemas.js'
import { AckordError } from '../errors.js'
import { loadCodecs } from './codecs.js'
import { declareRoute } from './gate/route.js'
import { listenForUpgrades, type PendingUpgrades } from './gate/upgrade.js'
import { Gateway } from './gateway.js'
import type { HookName, Hooks, Where } from './hooks.js'
import { Mount, type MountDefinition } from './mount.js'
import { type AckordOptions, checkAppOptions, resolveSettings, type Settings } from './options.js'

/** What the gateway offers to other plugins. */
export interface GatewayDecorator {
  readonly gateway: Gateway
  /**
   * Adds a hook for all namespaces, for the one whose full path is given, or for those whose path a set has by the time it is
   * their turn to be mounted. Before the app is ready. Throws ACKORD_INVALID_HOOK.
   */
  addHook<N extends HookName>(name: N, hook: Hooks[N], where?: Where): void
  /** Mounts a namespace in a scope; `handle` is what finds it again. Throws an AckordError. */
  mount(scope: FastifyInstance, handle: object, path: string, definition: MountDefinition): Mount
}

declare module 'fastify' {
  interface FastifyInstance {
    /** For plugins that build on ackord's hooks. */
    ackordGateway: GatewayDecorator
  }
}

/** Registers the gateway once per app. */
export const gatewayPlugin = fp<AckordOptions>(
  async (app, options) => {
    if (app.hasDecorator('ackordGateway')) throw new AckordError('ACKORD_ALREADY_REGISTERED')
    checkAppOptions(options)
    const gateway = new Gateway(app, options, await loadCodecs())
    let isReady = false
    const pending: PendingUpgrades = new WeakMap()
    const stopListening = listenForUpgrades(app, gateway, pending)

    app.decorate('ackordGateway', {
      gateway,
      addHook(name, hook, where) {
        if (isReady) throw new AckordError('ACKORD_INVALID_HOOK', `${name}: the app is ready`)
        gateway.hooks.add(name, hook, where)
      },
      mount(scope, handle, path, definition) {
        const full = scope.prefix + path
        if (!/^(\/[\w.~-]+)+$/.test(full)) {
          throw new AckordError(
            'ACKORD_INVALID_OPTION',
            `path: ${JSON.stringify(full)} must be plain segments such as "/v1/chat", without parameters or a slash at the end`,
          )
        }
        const settings = resolveSettings(definition.options as Settings, options)
        if (gateway.codecs.binary === undefined && carriesBytes(definition.contract))
          throw new AckordError('ACKORD_MSGPACK_MISSING', full)
        const mount = new Mount(gateway, definition, scope, full, settings)
        gateway.add(handle, mount)
        declareRoute(scope, mount, path, pending)
        for (const onRegister of gateway.hooks.of('onRegister', full)) onRegister(mount)
        return mount
      },
    } satisfies GatewayDecorator)

    app.addHook('onReady', async () => {
      for (const mount of gateway.paths.values()) await mount.prepare()
      gateway.hooks.checkPaths(gateway.paths)
      isReady = true
    })
    app.addHook('preClose', () =>
      gateway.close((error) => app.log.error({ err: error }, 'ackord: an onClose hook failed')),
    )
    // Not earlier: the servers that Fastify adds for `localhost` hand their upgrades on as long as they listen.
    app.addHook('onClose', async () => {
      stopListening()
      gateway.stop()
    })
  },
  { name: '@ackord/gateway', fastify: '5.x' },
)

export type { Codecs } from './codecs.js'
export { Connection, type ConnectionSlots } from './connection.js'
export { byteLength, frameOf, headerSize, writeFrame } from './framing.js'
export { addressKey } from './gate/address.js'
export { type Admission, admit, subprotocols } from './gate/gate.js'
export { checkUnit } from './gate/identity.js'
export { closeCodeOf, Refusal, refusalOf, refuse } from './gate/refusal.js'
export type { Gateway } from './gateway.js'
export * from './hooks.js'
export { Message, type Pack } from './message.js'
export {
  type Authenticator,
  Mount,
  type MountDefinition,
} from './mount.js'
export { checkNames, NAMESPACE_NAMES } from './option-names.js'
export { type AckordOptions, appLimit, type Durability, type Settings } from './options.js'
export type { Drainable } from './outlet.js'
export type { Claim, SessionPlaces } from './registry.js'
export type { Request } from './requests.js'
export { Timeouts } from './timeouts.js'
export type { Flushable } from './turn.js'
export type { Writer } from './writer.js'
