/** Limits on how often calls may be made. Upgrades are limited by @fastify/rate-limit, as any route. docs/decisions/rate-limits.md. */
import type { FastifyPluginAsync } from 'fastify'
import fp from 'fastify-plugin'
import { AckordError } from '../errors.js'
import { addressKey, type Mount } from '../gateway/index.js'
import { RedisLink, redisOf } from '../redis/index.js'
import { Limiter } from './limiter.js'
import { compileLimits } from './limits.js'
import { SharedBuckets } from './shared.js'

const WORDS = {
  away: 'Redis gives no answer; each node counts rate limits by itself until it does',
  back: 'rate limits are shared again',
}

/**
 * Registers rate limits; needs the gateway. Stands before calls, so that no other hook is asked about a call that is refused; throws
 * ACKORD_INVALID_HOOK behind them.
 */
export const rateLimitPlugin: FastifyPluginAsync = fp(
  async (app) => {
    if (app.hasPlugin('@ackord/calls')) {
      throw new AckordError('ACKORD_INVALID_HOOK', 'onCall: register rate limits before calls')
    }
    const { addHook, gateway } = app.ackordGateway
    const hub = redisOf(gateway)
    const shared = hub && new SharedBuckets(new RedisLink(hub, gateway.clock, app.log, WORDS), hub.prefix)
    const limiters = new WeakMap<Mount, Limiter>()
    // Filled in `onMount`: where there is no limit, no hook is in the way of a call.
    const limited = new Set<string>()
    const byAddress = new Set<string>()

    // The route was just declared: whoever registers @fastify/rate-limit later does not meet it any more.
    addHook('onRegister', ({ app: scope, definition, path }) => {
      const { rateLimit }: { rateLimit?: unknown } = Object(definition.options.routeConfig)
      if (typeof rateLimit === 'object' && rateLimit !== null && !scope.hasDecorator('rateLimit'))
        throw new AckordError('ACKORD_RATE_LIMIT_PLUGIN_MISSING', path)
    })
    addHook('onMount', (mount) => {
      const rules = compileLimits(mount)
      if (rules.size === 0) return
      limiters.set(mount, new Limiter(rules, shared))
      limited.add(mount.path)
      const isByAddress = [...rules.values()].flat().some(({ per }) => per === 'address')
      if (isByAddress) byAddress.add(mount.path)
    })
    addHook(
      'onConnect',
      ({ slots, upgradeInfo }) => {
        slots.address = addressKey(upgradeInfo.ip) ?? ''
      },
      byAddress,
    )
    addHook('onCall', (call, next) => limiters.get(call.mount)?.check(call, next) ?? next(), limited)
  },
  { name: '@ackord/rate-limit', fastify: '5.x', dependencies: ['@ackord/gateway'] },
)

export type { Limit, LimitPer, Limits } from './limits.js'
