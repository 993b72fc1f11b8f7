import cors from '@fastify/cors'
import type { FastifyInstance, InjectOptions } from 'fastify'
import { afterEach, describe, expect, it } from 'vitest'
import { type AckordOptions, ackord, namespace, Refusal } from '../../plugins/index.js'
import { abortAll, connect } from '../support/raw-client.js'
import { listen, makeApp, mountTiny, tiny } from './support.js'

afterEach(abortAll)

/** A server that takes every token but `bad`, and `away` for one of whom nothing can be found out. */
async function serve(options: AckordOptions = {}, before?: (app: FastifyInstance) => void) {
  const made = makeApp()
  const { app } = made
  await before?.(app)
  await app.register(ackord, { grace: 500, ...options })
  const live = namespace(tiny, {
    path: '/live',
    authenticate: ({ token }) => {
      if (token === 'away') throw Object.assign(new Error('no database'), { statusCode: 502 })
      if (token === 'other') throw Object.assign(new Error('not here'), { statusCode: 403 })
      return token === 'bad' ? null : { id: token }
    },
  })
  await app.register(mountTiny(live))
  await app.ready()
  return {
    ...made,
    gateway: app.ackordGateway.gateway,
    /** What a plain GET is told. */
    ask: async (headers: Record<string, string> = {}, more: InjectOptions = {}) => {
      const response = await app.inject({ url: '/live', headers, ...more })
      const { code, retryAfter } = response.body === '' ? {} : response.json()
      expect(response.headers['retry-after']).toBe(retryAfter?.toString())
      expect(response.headers['cache-control']).toBe('no-store')
      return [response.statusCode, code]
    },
  }
}

describe('a plain GET on the path of a namespace', () => {
  it('is told 426 and the subprotocols where an upgrade would be let in, and takes nothing', async () => {
    const { app, gateway } = await serve()
    for (const headers of [{}, { authorization: 'Bearer ann' }]) {
      const response = await app.inject({ url: '/live?x=1', headers })
      expect(response.statusCode).toBe(426)
      expect(response.json()).toEqual({
        statusCode: 426,
        code: 'UPGRADE_REQUIRED',
        message: expect.any(String),
        protocols: gateway.codecs.subprotocols,
      })
    }
    const { connections, anonymous } = gateway.caps
    expect([connections.size, anonymous.size, gateway.upgrades.size]).toEqual([0, 0, 0])
    expect(gateway.counters.refused.read()).toEqual({})
  })

  it('gets the verdict of the same checks: Origin, subprotocol, token', async () => {
    const { ask, gateway } = await serve({ allowedOrigins: ['https://app.example.com'] })
    expect(await ask({ origin: 'https://app.example.com' })).toEqual([426, 'UPGRADE_REQUIRED'])
    expect(await ask({ origin: 'https://evil.example' })).toEqual([403, 'ORIGIN_FORBIDDEN'])
    expect(await ask({ origin: 'null' })).toEqual([403, 'ORIGIN_FORBIDDEN'])
    expect(await ask({ 'sec-websocket-protocol': 'other' })).toEqual([426, 'SUBPROTOCOL'])
    expect(await ask({ 'sec-websocket-protocol': 'ackord.v1.json' })).toEqual([426, 'UPGRADE_REQUIRED'])
    expect(await ask({ authorization: 'Bearer bad' })).toEqual([401, 'UNAUTHORIZED'])
    expect(await ask({ authorization: 'Bearer other' })).toEqual([403, 'FORBIDDEN'])
    expect(await ask({ authorization: 'Bearer away' })).toEqual([503, 'UNAVAILABLE'])
    expect(gateway.counters.refused.read()).toEqual({
      ORIGIN_FORBIDDEN: 2,
      SUBPROTOCOL: 1,
      UNAUTHORIZED: 1,
      FORBIDDEN: 1,
      UNAVAILABLE: 1,
    })
  })

  it('of a page of the same origin, which sends no Origin, is judged as its upgrade would be', async () => {
    const open = await serve()
    expect(await open.ask({ 'sec-fetch-site': 'same-origin' })).toEqual([426, 'UPGRADE_REQUIRED'])
    const listed = await serve({ allowedOrigins: ['https://app.example.com'] })
    expect(await listed.ask({ 'sec-fetch-site': 'same-origin' })).toEqual([403, 'ORIGIN_FORBIDDEN'])
    const own = { host: 'app.example.com', 'sec-fetch-site': 'same-origin' }
    const itself = await serve({ allowedOrigins: ['http://app.example.com'] })
    expect(await itself.ask(own)).toEqual([426, 'UPGRADE_REQUIRED'])
    // Typed into the address bar, or sent by no page at all.
    for (const site of ['none', 'cross-site'])
      expect(await listed.ask({ 'sec-fetch-site': site })).toEqual([426, 'UPGRADE_REQUIRED'])
  })

  it('asks the onUpgrade hooks as well', async () => {
    const seen: unknown[] = []
    const { app, ask, gateway } = await serve()
    gateway.hooks.add('onUpgrade', ({ protocol, url, headers }) => {
      seen.push([protocol, url, 'sec-websocket-protocol' in headers])
      throw new Refusal(429, 'SLOW_DOWN', 'too many', 9)
    })
    expect(await ask()).toEqual([429, 'SLOW_DOWN'])
    expect((await app.inject('/live')).json()).toMatchObject({ retryAfter: 9 })
    expect(seen[0]).toEqual(['', '/live', false])
  })

  it('is told what is full', async () => {
    const { app, ask } = await serve({ maxConnectionsPerAddress: 2, maxUnauthenticated: 4 })
    const url = `ws://127.0.0.1:${await listen(app)}/live`
    await connect(url)
    expect(await ask()).toEqual([429, 'TOO_MANY_CONNECTIONS'])
    expect(await ask({ authorization: 'Bearer ann' })).toEqual([426, 'UPGRADE_REQUIRED'])
    await connect(url, { headers: { authorization: 'Bearer ann' } })
    expect(await ask({ authorization: 'Bearer ann' })).toEqual([429, 'TOO_MANY_CONNECTIONS'])
  })

  it('is told that the server closes', async () => {
    const { ask, gateway } = await serve()
    gateway.closing = true
    expect(await ask()).toEqual([503, 'CLOSING'])
    gateway.closing = false
  })

  it('is told so by Fastify, which says no more than 503, unless the app wants to answer by itself', async () => {
    for (const [return503OnClosing, code] of [
      [true, undefined],
      [false, 'CLOSING'],
    ] as const) {
      const { app } = makeApp({ return503OnClosing })
      let told: unknown
      await app.register(ackord, { grace: 500 })
      await app.register(mountTiny())
      app.addHook('preClose', async () => {
        const response = await fetch(url)
        told = [response.status, Object(await response.json()).code]
      })
      const url = `http://127.0.0.1:${await listen(app)}/live`
      await app.close()
      expect(told).toEqual([503, code])
    }
  })

  it('may be a HEAD: the same status, no body', async () => {
    const { app } = await serve()
    const head = (authorization: string) =>
      app.inject({ method: 'HEAD', url: '/live', headers: { authorization } })
    expect(await head('Bearer ann')).toMatchObject({ statusCode: 426, body: '' })
    expect(await head('Bearer bad')).toMatchObject({ statusCode: 401, body: '' })
  })
})

describe('with @fastify/cors', () => {
  const origin = 'https://app.example.com'
  const withCors = (app: FastifyInstance): void => {
    app.register(cors, { origin, credentials: true })
  }

  it('every verdict is readable for the page, also one that its Origin is not let in', async () => {
    const { app } = await serve({ allowedOrigins: ['https://other.example.com'] }, withCors)
    const response = await app.inject({ url: '/live', headers: { origin } })
    expect(response).toMatchObject({
      statusCode: 403,
      headers: { 'access-control-allow-origin': origin, 'access-control-allow-credentials': 'true' },
    })
  })

  it('a preflight is its own, and goes to no gate', async () => {
    const { app, gateway } = await serve({ allowedOrigins: [origin] }, withCors)
    const preflight: InjectOptions = {
      method: 'OPTIONS',
      url: '/live',
      headers: { origin, 'access-control-request-method': 'GET' },
    }
    expect(await app.inject(preflight)).toMatchObject({
      statusCode: 204,
      headers: { 'access-control-allow-origin': origin },
    })
    expect(gateway.counters.refused.read()).toEqual({})
    const { app: without } = await serve()
    expect((await without.inject(preflight)).statusCode).toBe(404)
  })
})
