/** Who may connect, and stay: gives each namespace its authenticator, takes TOKEN, makes tickets, revokes. */
import type { FastifyPluginAsync } from 'fastify'
import fp from 'fastify-plugin'
import { clusterOf } from '../cluster/index.js'
import { AckordError } from '../errors.js'
import type { Authenticator, Identity, Mount } from '../gateway/index.js'
import { redisOf } from '../redis/index.js'
import { type Authenticate, anybody, authenticatorOf } from './authenticator.js'
import { Authority } from './authority.js'
import { carriedToken } from './carriers.js'
import { type JwtOptions, jwtAuthenticate, jwtOf } from './jwt.js'
import { answerOthers } from './others.js'
import type { Reauthorize } from './recheck.js'
import { declareTicketRoute } from './ticket-route.js'

const authorities = new WeakMap<Mount, Authority>()

/** Registers authentication; needs the gateway and, for more than one node, redis and the cluster. */
export const authPlugin: FastifyPluginAsync = fp(
  async (app) => {
    const { addHook, gateway } = app.ackordGateway
    const hub = redisOf(gateway)
    const others = hub && { hub, cluster: clusterOf(gateway) }
    const all: Authority[] = []
    addHook('onRegister', (mount) => {
      const { authenticate, tickets } = mount.definition.options
      if (authenticate !== 'none' && tickets !== false) declareTicketRoute(mount, () => authorityOf(mount))
    })
    addHook('onMount', (mount) => {
      const { cookie } = mount.settings
      if (cookie !== undefined && !mount.app.hasRequestDecorator('cookies')) {
        throw new AckordError('ACKORD_COOKIE_PLUGIN_MISSING', mount.path)
      }
      const { reauthorize } = mount.definition.options as { reauthorize?: Reauthorize<Identity> }
      const authority = new Authority(mount, chooseAuthenticator(mount), reauthorize, others)
      authorities.set(mount, authority)
      all.push(authority)
      mount.authenticator = authority.authenticate
      mount.vet = (connection) => authority.vet(connection)
      mount.sessions = authority.sessions
      mount.carriedToken = (request) => carriedToken(request, cookie)
    })
    addHook('onConnect', ({ mount }) => authorityOf(mount).rechecks.start())
    addHook('onClose', () => {
      for (const { rechecks } of all) rechecks.stop()
    })
    if (others === undefined) return
    answerOthers(others.cluster, (path) => {
      const mount = typeof path === 'string' ? gateway.paths.get(path) : undefined
      return mount && authorities.get(mount)
    })
    // Before this node listens.
    app.addHook('onReady', async () => {
      await Promise.all(all.map((authority) => authority.start()))
    })
    // Behind the last connection.
    app.addHook('onClose', async () => {
      for (const authority of all) authority.stop()
    })
  },
  { name: '@ackord/auth', fastify: '5.x', dependencies: ['@ackord/gateway'] },
)

/** Who may be in a mounted namespace. */
export function authorityOf(mount: Mount): Authority {
  const found = authorities.get(mount)
  if (found === undefined) throw new AckordError('ACKORD_NOT_MOUNTED', 'before the app is ready')
  return found
}

function chooseAuthenticator(mount: Mount): Authenticator {
  const { authenticate, jwt: jwtOptions } = mount.definition.options
  if (authenticate === 'none') return anybody
  if (typeof authenticate === 'function') {
    return authenticatorOf(authenticate as Authenticate<Identity>, mount.app)
  }
  const jwt = jwtOf(mount.app)
  if (jwt === undefined) throw new AckordError('ACKORD_AUTHENTICATE_MISSING', mount.path)
  return authenticatorOf(jwtAuthenticate(jwt, jwtOptions as JwtOptions | undefined), mount.app)
}

export type { Authenticate, Credentials } from './authenticator.js'
export type { JwtOptions } from './jwt.js'
export { isOutage, Outages, within } from './outage.js'
export type { Reauthorize } from './recheck.js'
export { revoke } from './recheck.js'
export type { RevokeOptions, RevokeTarget } from './revocation.js'
