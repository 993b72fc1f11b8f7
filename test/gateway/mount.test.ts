import { execFileSync } from 'node:child_process'
import dns, { type LookupAddress } from 'node:dns'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { networkInterfaces, tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect as connectTls } from 'node:tls'
import type { FastifyInstance } from 'fastify'
import { afterEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import { WebSocket } from 'ws'
import { defineContract, room, Type } from '../../contract/index.js'
import {
  AckordError,
  ackord,
  authPlugin,
  callsPlugin,
  clusterPlugin,
  gatewayPlugin,
  namespace,
  namespacePlugin,
  redisPlugin,
  roomsPlugin,
} from '../../plugins/index.js'
import { connectBytes, type RawSocket, upgradeRequest } from '../support/raw-bytes.js'
import { abortAll, refused } from '../support/raw-client.js'
import {
  eventually,
  hello,
  listen,
  listenTiny,
  makeApp,
  makeTiny,
  mountTiny,
  roundTrip,
  socketsOf,
  tiny,
} from './support.js'

afterEach(abortAll)

describe('namespaces', () => {
  it('stand beside each other in one app, of one contract or of two', async () => {
    const { app } = makeApp()
    await app.register(ackord, { grace: 500 })
    const [first, second] = [makeTiny('/first'), makeTiny('/second')]
    await app.register(mountTiny(first))
    await app.register(mountTiny(second), { prefix: '/v2' })
    const port = await listen(app)
    await roundTrip(`ws://127.0.0.1:${port}/first`)
    await roundTrip(`ws://127.0.0.1:${port}/v2/second`)
    await roundTrip(`ws://127.0.0.1:${port}/v2/second`)
    const count = (live: typeof first) => [...app.ackord(live).connections()].length
    expect([count(first), count(second)]).toEqual([1, 2])
    expect(await refused(`ws://127.0.0.1:${port}/second`)).toMatchObject({ status: 404 })
  })

  const start = async (mount: (app: FastifyInstance) => Promise<unknown>): Promise<unknown> => {
    const { app } = makeApp()
    try {
      await app.register(ackord)
      await mount(app)
      await app.ready()
    } catch (error) {
      return error instanceof AckordError ? error.code : error
    }
    return 'started'
  }

  it('are mounted once each, and one to a path', async () => {
    const live = makeTiny('/live')
    expect(
      await start(async (app) => {
        await app.register(mountTiny(live))
        await app.register(mountTiny(live), { prefix: '/v2' })
      }),
    ).toBe('ACKORD_ALREADY_MOUNTED')
    expect(
      await start(async (app) => {
        await app.register(mountTiny(makeTiny('/v2/live')))
        await app.register(mountTiny(makeTiny('/live')), { prefix: '/v2' })
      }),
    ).toBe('ACKORD_PATH_TAKEN')
    // A handle may be mounted in two apps.
    expect(await start(async (app) => app.register(mountTiny(live)))).toBe('started')
    expect(await start(async (app) => app.register(mountTiny(live)))).toBe('started')
  })

  it('do not take the place of a route of the app', async () => {
    expect(
      await start(async (app) => {
        app.get('/live', () => 'mine')
        await app.register(mountTiny())
      }),
    ).toMatchObject({ code: 'FST_ERR_DUPLICATED_ROUTE' })
  })

  it('have a path of plain segments', async () => {
    for (const path of ['', '/', 'live', '/live/', '/a//b', '/:id', '/*', '/a b', '/a?b', '/%6c']) {
      expect([path, await start(async (app) => app.register(mountTiny(makeTiny(path))))]).toEqual([
        path,
        'ACKORD_INVALID_OPTION',
      ])
    }
    for (const path of ['/live', '/a/b', '/v1.2/a_b~c-d']) {
      expect([path, await start(async (app) => app.register(mountTiny(makeTiny(path))))]).toEqual([
        path,
        'started',
      ])
    }
  })

  it('are of a contract that defineContract returned', () => {
    for (const contract of [{ ...tiny, hash: undefined }, {}, undefined]) {
      expect(() => namespace(contract as never, { path: '/live' })).toThrow('defineContract')
    }
  })

  it('are mounted with their handlers, not with `live.plugin` itself', async () => {
    const { plugin } = makeTiny()
    const missing = expect.objectContaining({
      code: 'ACKORD_HANDLER_MISSING',
      message: expect.stringContaining('with the call'),
    })
    expect(() => plugin(undefined as never)).toThrow(missing)
    const { app } = makeApp()
    await app.register(ackord)
    await expect(async () => app.register(plugin as never)).rejects.toEqual(missing)
  })

  it('with presence do not start without the plugin that serves it', async () => {
    const { app } = makeApp()
    const parts = [gatewayPlugin, redisPlugin, clusterPlugin, authPlugin, callsPlugin, roomsPlugin]
    for (const part of [...parts, namespacePlugin]) await app.register(part)
    const empty = room({ params: Type.Object({}), events: {}, presence: Type.Object({}) })
    const contract = defineContract({ name: 'here', version: '1.0.0', rooms: { here: empty } })
    const live = namespace(contract, { path: '/live', authenticate: 'none' })
    await app.register(live.plugin({ rooms: { here: { join: () => true } } }))
    await expect(app.ready()).rejects.toMatchObject({ code: 'ACKORD_PLUGIN_MISSING' })
  })

  it('need ackord, and are found only where they are mounted', async () => {
    const { app } = makeApp()
    await expect(app.register(mountTiny()).then(() => app.ready())).rejects.toMatchObject({
      code: 'ACKORD_PLUGIN_MISSING',
    })
    const other = makeApp().app
    await other.register(ackord)
    await other.ready()
    expect(() => other.ackord(makeTiny())).toThrow(expect.objectContaining({ code: 'ACKORD_NOT_MOUNTED' }))
  })
})

describe('ackord', () => {
  it('is registered once in an app', async () => {
    const { app } = makeApp()
    await app.register(ackord)
    await expect(async () => app.register(ackord)).rejects.toMatchObject({
      code: 'ACKORD_ALREADY_REGISTERED',
    })
  })
})

describe('app.ackord(live)', () => {
  it('is there as soon as the namespace is registered, and is the same one later', async () => {
    const { app } = makeApp()
    await app.register(ackord)
    const live = makeTiny()
    expect(() => app.ackord(live)).toThrow(expect.objectContaining({ code: 'ACKORD_NOT_MOUNTED' }))
    await app.register(mountTiny(live))
    const early = app.ackord(live)
    expect([...early.connections()]).toEqual([])
    await app.ready()
    expect(app.ackord(live)).toBe(early)
  })
})

describe("Fastify's hooks", () => {
  /** Two scopes, one with the namespace, which write down what runs. */
  async function serveScopes(refuse?: (hook: string) => void) {
    const made = makeApp()
    const { app } = made
    const ran: string[] = []
    await app.register(ackord, { grace: 500 })
    const write = (scope: FastifyInstance, name: string) => {
      for (const hook of [
        'onRequest',
        'preParsing',
        'preValidation',
        'preHandler',
        'onSend',
        'onResponse',
      ] as const) {
        scope.addHook(hook, async () => {
          ran.push(`${name} ${hook}`)
          refuse?.(`${name} ${hook}`)
        })
      }
    }
    write(app, 'app')
    await app.register(async (scope) => {
      write(scope, 'sibling')
    })
    await app.register(
      async (scope) => {
        write(scope, 'scope')
        scope.decorateRequest('seen', 0)
        scope.addHook('onRequest', async (request) =>
          request.log.info({ seen: request.getDecorator('seen') }, 'here'),
        )
        await scope.register(mountTiny())
      },
      { prefix: '/v1' },
    )
    const port = await listen(app)
    return { ...made, ran, url: `ws://127.0.0.1:${port}/v1/live` }
  }

  it('of the scope run once for the upgrade, never for a frame, and those of a sibling not at all', async () => {
    const { ran, url, lines } = await serveScopes()
    const client = await roundTrip(url)
    client.send([2, 2, 'echo', { text: 'again' }])
    await client.next(18)
    const before = ['onRequest', 'preParsing', 'preValidation', 'preHandler']
    expect(ran).toEqual(before.flatMap((hook) => [`app ${hook}`, `scope ${hook}`]))
    expect(lines.filter(({ msg }) => msg === 'here')).toMatchObject([{ reqId: 'req-1', seen: 0 }])
  })

  for (const hook of ['onRequest', 'preParsing', 'preValidation', 'preHandler']) {
    it(`may refuse with a status of their own in ${hook}, and the socket is ended`, async () => {
      const { app, url, ran } = await serveScopes((name) => {
        if (name === `app ${hook}`) throw Object.assign(new Error('pay first'), { statusCode: 402 })
      })
      const socket = await connectBytes(url)
      socket.write(upgradeRequest(url))
      const answer = (await socket.ended()).toString()
      expect(answer).toMatch(/^HTTP\/1\.1 402 /)
      expect(answer.toLowerCase()).toContain('connection: close')
      expect(answer).toContain('pay first')
      expect(ran.filter((name) => name === 'app onResponse')).toHaveLength(1)
      await eventually(async () => expect(await socketsOf(app)).toBe(0))
      expect(app.ackordGateway.gateway.upgrades.size).toBe(0)
    })
  }
})

/** A certificate for 127.0.0.1 of this minute; `undefined` where the machine has no openssl. */
function certificate() {
  const directory = mkdtempSync(join(tmpdir(), 'ackord-https-'))
  const [key, cert] = [join(directory, 'key.pem'), join(directory, 'cert.pem')]
  const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2']
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1']
  try {
    const args = ['req', '-x509', ...kind, ...subject, '-keyout', key, '-out', cert]
    execFileSync('openssl', args, { stdio: 'ignore' })
    return { key: readFileSync(key), cert: readFileSync(cert) }
  } catch {
    return undefined
  } finally {
    rmSync(directory, { recursive: true })
  }
}

const https = certificate()

describe.runIf(https)('an https app', () => {
  it('serves wss, and gives back what is no upgrade of ours', async () => {
    const { app } = makeApp({ https })
    app.post('/plain', (request) => ({ body: request.body }))
    const port = await listenTiny(app)

    const websocket = new WebSocket(`wss://127.0.0.1:${port}/live`, ['ackord.v1.json'], { ca: https?.cert })
    const first = await new Promise((resolve, reject) => {
      websocket.on('open', () => websocket.send(JSON.stringify(hello())))
      websocket.on('message', (data) => resolve(JSON.parse(String(data))))
      websocket.on('error', reject)
    })
    expect(first).toEqual([17, 'session', ...Array(4).fill(expect.anything())])
    websocket.terminate()

    const socket = connectTls({ port, host: '127.0.0.1', ca: https?.cert })
    let received = ''
    socket.on('data', (chunk) => {
      received += chunk
    })
    socket.write(
      'POST /plain HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: h2c\r\ncontent-type: application/json\r\ncontent-length: 7\r\n\r\n{"a":1}',
    )
    await eventually(() => expect(received).toContain('{"body":{"a":1}}'))
    socket.write('GET /nowhere HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n')
    await eventually(() => expect(received).toContain('HTTP/1.1 404'))
    socket.destroy()
  })
})

const hasIpv6 = Object.values(networkInterfaces()).some((all) =>
  all?.some(({ address }) => address === '::1'),
)

describe.runIf(hasIpv6)('an app that listens on localhost', () => {
  it('serves both of its addresses', async () => {
    // The machine's own hosts file may name one of them only.
    const addresses: LookupAddress[] = [
      { address: '127.0.0.1', family: 4 },
      { address: '::1', family: 6 },
    ]
    const lookup = vi.spyOn(dns, 'lookup')
    onTestFinished(() => lookup.mockRestore())
    lookup.mockImplementation(((...args: unknown[]) => {
      const done = args.at(-1) as (...result: unknown[]) => void
      const wantsAll = (args[1] as { all?: boolean } | undefined)?.all === true
      const found = addresses.find(({ address }) => address === args[0]) ?? addresses[0]
      process.nextTick(done, null, ...(wantsAll ? [addresses] : [found?.address, found?.family]))
    }) as never)
    const { app } = makeApp()
    await app.register(ackord)
    await app.register(mountTiny())
    let release = (): void => {}
    const gate = new Promise<void>((resolve) => {
      release = resolve
    })
    app.ackordGateway.addHook('onClose', () => gate)
    await app.listen({ port: 0, host: 'localhost' })
    const all = app.addresses().filter((address) => typeof address !== 'string')
    expect(all.map(({ address }) => address).sort()).toEqual(['127.0.0.1', '::1'])
    for (const { address, port, family } of all) {
      const host = family === 'IPv6' ? `[${address}]` : address
      await roundTrip(`ws://${host}:${port}/live`)
      expect(await refused(`ws://${host}:${port}/nowhere`)).toMatchObject({ status: 404 })
    }

    // Upgrades that come during the close are answered at both.
    const idle: RawSocket[] = []
    for (const { address, port, family } of all) {
      idle.push(await connectBytes(`ws://${family === 'IPv6' ? `[${address}]` : address}:${port}/live`))
    }
    const closed = app.close()
    await eventually(() => expect(app.ackordGateway.gateway.closing).toBe(true))
    for (const socket of idle) {
      socket.write(upgradeRequest('ws://localhost/live'))
      expect((await socket.ended()).toString()).toMatch(/^HTTP\/1\.1 503 /)
    }
    release()
    await closed
  })
})
