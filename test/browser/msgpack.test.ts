/** The binary codec in a real browser, on a page whose policy lets no code be made of text. */
import type { AddressInfo } from 'node:net'
import Fastify, { type FastifyInstance } from 'fastify'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { call, defineContract, Type } from '../../contract/index.js'
import { ackord, namespace } from '../../plugins/index.js'
import { bundle } from './support/bundle.js'
import { findChromium, launch } from './support/chromium.js'

const executable = findChromium()

const contract = defineContract({
  name: 'files',
  version: '1.0.0',
  calls: {
    turn: call({
      input: Type.Object({ name: Type.String(), data: Type.Uint8Array() }),
      ack: Type.Object({ name: Type.String(), data: Type.Uint8Array() }),
    }),
  },
})
const descriptor = {
  ...{ name: 'files', version: '1.0.0', hash: contract.hash },
  ...{ calls: { turn: { delivery: 'attempt' } }, events: {}, rooms: {} },
}

describe.skipIf(executable === undefined)('msgpack in a browser', { timeout: 60_000 }, () => {
  let browser: Browser
  let app: FastifyInstance

  beforeAll(async () => {
    browser = await launch(executable ?? '')
    app = Fastify({ forceCloseConnections: true })
    await app.register(ackord, { grace: 200 })
    const live = namespace(contract, { path: '/live', authenticate: 'none' })
    const turn = ({ name, data }: { readonly name: string; readonly data: Uint8Array }) => {
      return { name: `${name}${name}`, data: data.toReversed() }
    }
    await app.register(live.plugin({ calls: { turn } }))
    app.get('/', (_request, reply) => {
      reply.header('content-security-policy', "default-src 'self'").type('text/html')
      return '<!doctype html><title>A page</title>'
    })
    for (const name of ['index', 'msgpack']) {
      const script = await bundle(`client/${name}.ts`)
      app.get(`/${name}.js`, (_request, reply) => reply.type('text/javascript').send(script))
    }
    await app.listen({ port: 0, host: '127.0.0.1' })
  }, 60_000)
  afterAll(async () => {
    await browser?.close()
    await app?.close()
  })

  it('carries bytes and every kind of text, and breaks no policy', async () => {
    const page = await browser.newPage()
    await page.goto(`http://127.0.0.1:${(app.server.address() as AddressInfo).port}/`)
    const outcome: unknown = await page.evaluate(`(async () => {
      const broken = []
      document.addEventListener('securitypolicyviolation', (event) => broken.push(event.violatedDirective))
      const { createClient } = await import('/index.js')
      const { msgpack } = await import('/msgpack.js')
      const client = createClient(${JSON.stringify(descriptor)}, '/live', { codec: msgpack })
      const name = 'é😀'.repeat(5000)
      const data = Uint8Array.from({ length: 20_000 }, (_, i) => i)
      const answer = await client.calls.turn({ name, data })
      client.close()
      return {
        name: answer.name === name + name,
        kind: answer.data.constructor.name,
        data: answer.data.length === 20_000 && answer.data.every((byte, i) => byte === data[19_999 - i]),
        broken,
      }
    })()`)
    expect(outcome).toEqual({ name: true, kind: 'Uint8Array', data: true, broken: [] })
    await page.close()
  })
})
