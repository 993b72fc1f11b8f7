/** The client in a real browser, on a page of another origin than the server's: what it makes of a refused upgrade. */
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import cookie from '@fastify/cookie'
import cors from '@fastify/cors'
import Fastify, { type FastifyInstance } from 'fastify'
import type { Browser, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { ConnectionSnapshot } from '../../client/index.js'
import { type AckordOptions, ackord, namespace, Refusal } from '../../plugins/index.js'
import { mountTiny, tiny } from '../gateway/support.js'
import { bundle } from './support/bundle.js'
import { findChromium, launch } from './support/chromium.js'

const executable = findChromium()
const descriptor = {
  ...{ name: tiny.name, version: tiny.version, hash: tiny.hash },
  ...{ calls: {}, events: {}, rooms: {} },
}

interface Served extends AckordOptions {
  /** Whether the page's origin is let in. */
  readonly allowed?: boolean
  /** Whether there is @fastify/cors. */
  readonly readable?: boolean
}

describe.skipIf(executable === undefined)('a client that another origin refuses', { timeout: 60_000 }, () => {
  let browser: Browser
  let site: Server
  let origin = ''
  let page: Page
  let app: FastifyInstance
  let asked: string[] = []

  beforeAll(async () => {
    const client = await bundle('client/index.ts')
    browser = await launch(executable ?? '')
    site = createServer((request, response) => {
      if (request.url === '/client.js') response.setHeader('content-type', 'text/javascript').end(client)
      else response.setHeader('content-type', 'text/html').end('<!doctype html><title>A page</title>')
    })
    await new Promise<void>((resolve) => site.listen(0, '127.0.0.1', resolve))
    origin = `http://127.0.0.1:${(site.address() as AddressInfo).port}`
  }, 60_000)
  afterEach(async () => {
    await page?.context().close()
    await app?.close()
  })
  afterAll(async () => {
    await browser?.close()
    site?.closeAllConnections()
    site?.close()
  })

  /** Serves on another port, and opens the page. */
  async function serve({ allowed = true, readable = true, ...options }: Served = {}) {
    asked = []
    app = Fastify({ forceCloseConnections: true })
    app.addHook('onRequest', async ({ raw }) => {
      asked.push(raw.headers.upgrade ?? `GET with ${raw.headers.cookie ?? 'no cookie'}`)
    })
    await app.register(cookie)
    if (readable) await app.register(cors, { origin, credentials: true })
    await app.register(ackord, {
      grace: 200,
      allowedOrigins: allowed ? [origin] : ['https://app.example.com'],
      cookie: 'token',
      ...options,
    })
    const authenticate = ({ token }: { readonly token: string }) => {
      if (token === 'away') throw new Refusal(503, 'UNAVAILABLE', 'authentication is away', 5)
      return token === 'bad' ? null : { id: token }
    }
    await app.register(mountTiny(namespace(tiny, { path: '/live', authenticate })))
    await app.listen({ port: 0, host: '127.0.0.1' })
    const address = `127.0.0.1:${(app.server.address() as AddressInfo).port}/live`
    page = await (await browser.newContext()).newPage()
    await page.goto(origin)
    return {
      setToken: (value: string) =>
        page.context().addCookies([{ name: 'token', value, url: `http://${address}` }]),
      /** Makes a client, and resolves with its picture when it is neither idle nor connecting. */
      connect: (more = '{}'): Promise<ConnectionSnapshot & { readonly errors: number }> =>
        page.evaluate(`import('/client.js').then(({ createClient }) => new Promise((resolve) => {
          let errors = 0
          const { connection } = createClient(${JSON.stringify(descriptor)}, 'ws://${address}', {
            onError: () => errors++,
            backoff: { base: 400 },
            ...${more},
          })
          connection.subscribe(() => {
            if (connection.state !== 'connecting') resolve({ ...connection.get(), errors })
          })
          connection.connect()
        }))`),
    }
  }

  it('is told so, and stays away, where its origin is not let in', async () => {
    const { connect } = await serve({ allowed: false })
    const seen = await connect()
    expect(seen).toMatchObject({ state: 'closed', closed: { code: 4507 }, errors: 0 })
    expect(seen.closed?.reason).toMatch(/origin/i)
    expect(asked).toEqual(['websocket', 'GET with no cookie'])
  })

  it('is told so, and stays away, where its cookie is not taken', async () => {
    const { connect, setToken } = await serve()
    await setToken('bad')
    expect(await connect()).toMatchObject({ state: 'closed', closed: { code: 4506 } })
    expect(asked).toEqual(['websocket', 'GET with token=bad'])
  })

  it('waits for as long as it is told where there are too many of it', async () => {
    const { connect, setToken } = await serve({ maxConnectionsPerAddress: 1 })
    await setToken('ann')
    expect((await connect()).state).toBe('open')
    const seen = await connect()
    expect(seen).toMatchObject({ state: 'waiting', closed: { code: 1013 }, errors: 0 })
    expect(seen.retryIn).toBeGreaterThanOrEqual(30_000)
    expect(seen.retryIn).toBeLessThan(60_000)
  })

  it('waits for as long as it is told where authentication is away', async () => {
    const { connect, setToken } = await serve()
    await setToken('away')
    const seen = await connect()
    expect(seen).toMatchObject({
      ...{ state: 'waiting', closed: { code: 1013, reason: 'authentication is away' } },
    })
    expect(seen.retryIn).toBeGreaterThanOrEqual(5000)
    expect(seen.retryIn).toBeLessThan(10_000)
  })

  it('asks without cookies where it has a token', async () => {
    const { connect, setToken } = await serve({ maxConnections: 1 })
    await setToken('ann')
    expect((await connect()).state).toBe('open')
    const seen = await connect("{ token: () => 'bob' }")
    expect(seen).toMatchObject({ state: 'waiting', closed: { code: 1013 } })
    expect(asked.at(-1)).toBe('GET with no cookie')
  })

  it('takes it for a lost connection without @fastify/cors, and makes no noise about it', async () => {
    const { connect, setToken } = await serve({ readable: false })
    await setToken('bad')
    const seen = await connect()
    expect(seen).toMatchObject({ state: 'waiting', closed: { code: 1006, reason: '' }, errors: 0 })
    expect(seen.retryIn).toBeLessThan(400)
    expect(asked).toEqual(['websocket', 'GET with token=bad'])
  })

  it('takes it for a lost connection where there is no server', async () => {
    const { connect } = await serve()
    await app.close()
    const seen = await connect()
    expect(seen).toMatchObject({ state: 'waiting', closed: { code: 1006 }, errors: 0 })
    expect(seen.retryIn).toBeLessThan(400)
  })
})
