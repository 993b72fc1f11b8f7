import rateLimit, { type RateLimitPluginOptions } from '@fastify/rate-limit'
import { afterEach, describe, expect, it } from 'vitest'
import type { RefuseInfo } from '../../plugins/gateway/index.js'
import { ackord, namespace } from '../../plugins/index.js'
import { eventually, listen, makeApp, socketsOf, tiny } from '../gateway/support.js'
import { abortAll, connect, refused } from '../support/raw-client.js'

afterEach(abortAll)

type RouteLimit = { max: number; timeWindow: number; ban?: number } | false

/** An app whose upgrades @fastify/rate-limit counts; the token `good` is let in. */
const start = async (options: RateLimitPluginOptions, routeLimit?: RouteLimit) => {
  const { app, warnings } = makeApp()
  await app.register(rateLimit, options)
  await app.register(ackord, { grace: 500 })
  const live = namespace(tiny, {
    path: '/live',
    authenticate: ({ token }) => (token === 'good' ? { id: 'ann' } : null),
    ...(routeLimit !== undefined && { routeConfig: { rateLimit: routeLimit } }),
  })
  await app.register(live.plugin({ calls: { echo: (input) => input } }))
  const told: RefuseInfo[] = []
  app.ackordGateway.addHook('onRefuse', (refusal) => void told.push(refusal))
  const port = await listen(app)
  const as = (token: string) => ({ headers: { authorization: `Bearer ${token}` } })
  return {
    app,
    told,
    warnings,
    enter: () => connect(`ws://127.0.0.1:${port}/live`, as('good')),
    refuse: (token = 'good') => refused(`ws://127.0.0.1:${port}/live`, as(token)),
    order: (token: string) => fetch(`http://127.0.0.1:${port}/live/ticket`, { method: 'POST', ...as(token) }),
    ask: (token = 'good') => fetch(`http://127.0.0.1:${port}/live`, as(token)),
  }
}
const TOO_MANY = {
  statusCode: 429,
  code: 'TOO_MANY_REQUESTS',
  message: expect.stringContaining('Rate limit exceeded'),
}

describe('@fastify/rate-limit', () => {
  for (const [title, options, routeLimit] of [
    ['for all routes', { max: 2, timeWindow: 60_000 }, undefined],
    ["by the namespace's routeConfig", { global: false }, { max: 2, timeWindow: 60_000 }],
  ] as const) {
    it(`${title} refuses an upgrade with 429, its code and Retry-After, and ends the socket`, async () => {
      const { app, enter, refuse, told, warnings } = await start(options, routeLimit)
      const clients = [await enter(), await enter()]
      const refusal = await refuse()
      expect(refusal.status).toBe(429)
      const body = JSON.parse(refusal.body)
      expect(body).toEqual({ ...TOO_MANY, retryAfter: Number(refusal.headers['retry-after']) })
      expect(body.retryAfter).toBeGreaterThan(0)
      expect(body.retryAfter).toBeLessThanOrEqual(60)
      await eventually(async () => expect(await socketsOf(app)).toBe(clients.length))
      expect(told).toMatchObject([
        { ip: '127.0.0.1', status: 429, code: 'TOO_MANY_REQUESTS', mount: { path: '/live' } },
      ])
      expect(app.ackord.stats().upgrades).toMatchObject({ accepted: 2, refused: { TOO_MANY_REQUESTS: 1 } })
      expect(warnings()).toEqual([])
    })
  }

  it("counts tickets by the namespace's routeConfig, apart from upgrades", async () => {
    const { order, enter } = await start({ global: false }, { max: 2, timeWindow: 60_000 })
    const statuses: number[] = []
    for (const token of ['good', 'guess', 'good']) statuses.push((await order(token)).status)
    expect(statuses).toEqual([200, 401, 429])
    await enter()
  })

  it('tells a plain GET the same', async () => {
    const { ask, told } = await start({ max: 1, timeWindow: 60_000 })
    expect((await ask()).status).toBe(426)
    const verdict = await ask()
    expect(verdict.status).toBe(429)
    expect(await verdict.json()).toEqual({
      ...TOO_MANY,
      retryAfter: Number(verdict.headers.get('retry-after')),
    })
    expect(told.map(({ code }) => code)).toEqual(['TOO_MANY_REQUESTS'])
  })

  it('counts guesses of tokens', async () => {
    const { refuse, app } = await start({ max: 3, timeWindow: 60_000 })
    const statuses: number[] = []
    for (let i = 0; i < 5; i++) statuses.push((await refuse(`guess-${i}`)).status)
    expect(statuses).toEqual([401, 401, 401, 429, 429])
    expect((await refuse('good')).status).toBe(429)
    expect(app.ackord.stats().upgrades.refused).toEqual({ UNAUTHORIZED: 3, TOO_MANY_REQUESTS: 3 })
  })

  it('leaves a namespace alone whose routeConfig says so', async () => {
    const { enter } = await start({ max: 1, timeWindow: 60_000 }, false)
    for (let i = 0; i < 3; i++) await enter()
  })

  it('that bans refuses with 403', async () => {
    const { enter, refuse } = await start({ global: false }, { max: 1, timeWindow: 60_000, ban: 1 })
    await enter()
    expect((await refuse()).status).toBe(429)
    const banned = await refuse()
    expect([banned.status, JSON.parse(banned.body).code]).toEqual([403, 'FORBIDDEN'])
  })

  it('that cannot count, because its store is away, is an error of ours and shows nothing of it', async () => {
    class Store {
      incr(_key: string, callback: (error: Error | null) => void) {
        callback(new Error('the secret address of a store'))
      }
      child() {
        return this
      }
    }
    const { refuse, told } = await start({ max: 1, timeWindow: 60_000, store: Store as never })
    const refusal = await refuse()
    expect([refusal.status, JSON.parse(refusal.body).code]).toEqual([500, 'INTERNAL'])
    expect(refusal.body).not.toContain('secret')
    expect(told.map(({ code }) => code)).toEqual(['INTERNAL'])
  })
})

describe('a hook of the app that answers by itself', () => {
  it('is counted by its status', async () => {
    const { app } = makeApp()
    await app.register(ackord, { grace: 500 })
    app.addHook('onRequest', async (_request, reply) => reply.code(418).send('no'))
    const live = namespace(tiny, { path: '/live', authenticate: 'none' })
    await app.register(live.plugin({ calls: { echo: (input) => input } }))
    const port = await listen(app)
    expect((await refused(`ws://127.0.0.1:${port}/live`)).status).toBe(418)
    expect(app.ackord.stats().upgrades.refused).toEqual({ HTTP_418: 1 })
  })
})
