/** What a page of another origin can read of a refused upgrade, in a real browser. */
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import cookie from '@fastify/cookie'
import cors from '@fastify/cors'
import Fastify, { type FastifyInstance } from 'fastify'
import type { Browser, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { type AckordOptions, ackord, namespace, Refusal } from '../../plugins/index.js'
import { mountTiny, tiny } from '../gateway/support.js'
import { findChromium, launch } from './support/chromium.js'

const executable = findChromium()

describe.skipIf(executable === undefined)(
  'a page whose upgrade was refused by another origin',
  { timeout: 60_000 },
  () => {
    let browser: Browser
    let site: Server
    let origin = ''
    let page: Page
    let app: FastifyInstance

    beforeAll(async () => {
      browser = await launch(executable ?? '')
      site = createServer((_request, response) =>
        response.setHeader('content-type', 'text/html').end('<!doctype html><title>A page</title>'),
      )
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
      app = Fastify({ forceCloseConnections: true })
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
        address,
        setToken: (value: string) =>
          page.context().addCookies([{ name: 'token', value, url: `http://${address}` }]),
        /** The event of a WebSocket that ends its opening. */
        open: (): Promise<unknown> =>
          page.evaluate(`new Promise((resolve) => {
            const socket = window.last = new WebSocket('ws://${address}', 'ackord.v1.json')
            socket.onopen = () => resolve('open')
            socket.onclose = ({ code, reason }) => resolve([code, reason])
          })`),
        /** What the page can read when it asks. */
        ask: (): Promise<unknown> =>
          page.evaluate(`fetch('http://${address}', { credentials: 'include', cache: 'no-store' }).then(
            async (response) => {
              const { statusCode, code, retryAfter, protocols } = await response.json()
              return { status: response.status, statusCode, code, retryAfter, protocols }
            },
            (error) => error.name,
          )`),
      }
    }
    interface Served extends AckordOptions {
      readonly allowed?: boolean
      readonly readable?: boolean
    }

    it('reads nothing in the WebSocket, and the verdict by asking', async () => {
      const { open, ask, setToken } = await serve()
      await setToken('bad')
      expect(await open()).toEqual([1006, ''])
      expect(await ask()).toEqual({ status: 401, statusCode: 401, code: 'UNAUTHORIZED' })
      await setToken('away')
      expect(await open()).toEqual([1006, ''])
      expect(await ask()).toEqual({ status: 503, statusCode: 503, code: 'UNAVAILABLE', retryAfter: 5 })
      await setToken('ann')
      expect(await ask()).toMatchObject({
        status: 426,
        code: 'UPGRADE_REQUIRED',
        protocols: expect.arrayContaining(['ackord.v1.json']),
      })
      expect(await open()).toBe('open')
    })

    it('reads that its origin is not let in', async () => {
      const { open, ask } = await serve({ allowed: false })
      expect(await open()).toEqual([1006, ''])
      expect(await ask()).toEqual({ status: 403, statusCode: 403, code: 'ORIGIN_FORBIDDEN' })
    })

    it('reads how long to wait: where there are too many of it, and where the server is full', async () => {
      const { open, ask, setToken } = await serve({ maxConnectionsPerAddress: 1 })
      await setToken('ann')
      expect(await open()).toBe('open')
      expect(await open()).toEqual([1006, ''])
      expect(await ask()).toEqual({
        status: 429,
        statusCode: 429,
        code: 'TOO_MANY_CONNECTIONS',
        retryAfter: 30,
      })
    })

    it('reads nothing at all without @fastify/cors', async () => {
      const { open, ask, setToken } = await serve({ readable: false })
      await setToken('bad')
      expect(await open()).toEqual([1006, ''])
      expect(await ask()).toBe('TypeError')
    })
  },
)
