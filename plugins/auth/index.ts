/** Who may connect: gives each namespace its authenticator when it is mounted. */
import type { FastifyPluginAsync } from 'fastify'
import fp from 'fastify-plugin'
import { AckordError } from '../errors.js'
import type { Authenticator, Identity, Mount } from '../gateway/index.js'
import { type Authenticate, anybody, authenticatorOf } from './authenticator.js'
import { carriedToken } from './carriers.js'
import { jwtAuthenticate, jwtOf } from './jwt.js'

/** Registers authentication; needs the gateway. */
export const authPlugin: FastifyPluginAsync = fp(
  async (app) => {
    app.ackordGateway.addHook('onMount', (mount) => {
      const { cookie } = mount.settings
      if (cookie !== undefined && !mount.app.hasRequestDecorator('cookies')) {
        throw new AckordError('ACKORD_COOKIE_PLUGIN_MISSING', mount.path)
      }
      mount.authenticator = chooseAuthenticator(mount)
      mount.carriedToken = (request) => carriedToken(request, cookie)
    })
  },
  { name: '@ackord/auth', fastify: '5.x', dependencies: ['@ackord/gateway'] },
)

function chooseAuthenticator(mount: Mount): Authenticator {
  const { authenticate } = mount.definition.options
  if (authenticate === 'none') return anybody
  if (typeof authenticate === 'function') {
    return authenticatorOf(authenticate as Authenticate<Identity>, mount.app)
  }
  const jwt = jwtOf(mount.app)
  if (jwt === undefined) throw new AckordError('ACKORD_AUTHENTICATE_MISSING', mount.path)
  return authenticatorOf(jwtAuthenticate(jwt), mount.app)
}

export type { Authenticate, Credentials } from './authenticator.js'
