import rateLimit from '@fastify/rate-limit'
import type { FastifyPluginAsync } from 'fastify'
import fp from 'fastify-plugin'
import { describe, expect, it } from 'vitest'
import { call, defineContract, Type } from '../../contract/index.js'
import { type AckordErrorCode, ackord, namespace } from '../../plugins/index.js'
import { makeApp, tiny } from '../gateway/support.js'

type Options = Readonly<Record<string, unknown>>

const echo = (input: unknown): unknown => input

interface Given {
  readonly app?: Options
  readonly namespace?: Options
  readonly parts?: Options
  readonly contract?: unknown
  /** Registered after ackord, before the namespace. */
  readonly plugin?: FastifyPluginAsync
}

/** Starts an app with what no type would let through; what stops it, or 'started'. */
async function start(given: Given): Promise<unknown> {
  const { app } = makeApp()
  try {
    await app.register(ackord, given.app ?? {})
    if (given.plugin !== undefined) await app.register(given.plugin)
    const options = { path: '/live', authenticate: 'none', ...given.namespace }
    const live = namespace((given.contract ?? tiny) as typeof tiny, options as never)
    await app.register(live.plugin({ calls: { echo }, ...given.parts } as never))
    await app.ready()
  } catch (error) {
    return error
  }
  return 'started'
}

const refusal = (message: string, code: AckordErrorCode = 'ACKORD_INVALID_OPTION') => ({
  code,
  message: expect.stringContaining(message),
})

const user = (): { id: string } => ({ id: 'ann' })

describe('live.plugin', () => {
  it('refuses a part that nobody takes, and lists those there are', async () => {
    expect(await start({ parts: { limit: { echo: { max: 1, seconds: 1 } } } })).toMatchObject(
      refusal('limit: no such part of live.plugin for /live; there are limits, calls, rooms'),
    )
    expect(await start({ parts: { limits: undefined } })).toBe('started')
  })

  it('takes the part of a plugin that asks for it, and changes nothing else for that', async () => {
    const seen: unknown[] = []
    const plugin: FastifyPluginAsync = fp(
      async (app) => {
        app.ackordGateway.addHook('onMount', (mount) => void seen.push(mount.part('quiet')))
      },
      { name: 'quiet' },
    )
    expect(await start({ plugin, parts: { quiet: { hours: 6 } } })).toBe('started')
    expect(seen).toEqual([{ hours: 6 }])
    expect(await start({ plugin, parts: { quite: 1 } })).toMatchObject(refusal('quiet'))
  })

  it('refuses limits that limit nothing, and names the calls where one is not known', async () => {
    expect(await start({ parts: { limits: { echo: [] } } })).toMatchObject(refusal('limits of /live:echo'))
    expect(await start({ parts: { limits: { ecko: { max: 1, seconds: 1 } } } })).toMatchObject(
      refusal('there are echo, *', 'ACKORD_UNKNOWN_NAME'),
    )
  })
})

describe('a path', () => {
  it('begins with a slash, and its refusal says what to write', async () => {
    for (const [path, write] of [
      ['desk', '/desk'],
      ['/desk/', '/desk'],
      ['a//b', '/a/b'],
      ['', '/chat'],
      ['/:id', '/chat'],
      [undefined, '/chat'],
    ])
      expect(await start({ namespace: { path } })).toMatchObject(
        refusal(
          `path: ${JSON.stringify(path)} must be plain segments, each behind a slash; write "${write}"`,
        ),
      )
    // A prefix is put right before it.
    expect(() => namespace(tiny, { path: 'desk' })).toThrow('write "/desk"')
    expect(() => namespace(tiny, { path: '' })).toThrow('write "/chat"')
  })
})

describe('an option at the wrong place', () => {
  it('names the right one', async () => {
    const limits = { echo: { max: 1, seconds: 1 } }
    const inPlugin = (name: string) => refusal(`${name}: belongs in live.plugin({ ${name} })`)
    const inApp = (name: string) => refusal(`${name}: belongs in app.register(ackord, { ${name} })`)
    const inNamespace = (name: string) => refusal(`${name}: belongs in namespace(contract, { ${name} })`)
    expect(await start({ namespace: { limits } })).toMatchObject(inPlugin('limits'))
    expect(await start({ app: { limits } })).toMatchObject(inPlugin('limits'))
    expect(await start({ namespace: { maxConnections: 5 } })).toMatchObject(inApp('maxConnections'))
    expect(await start({ parts: { redis: {} } })).toMatchObject(inApp('redis'))
    expect(await start({ app: { authenticate: user } })).toMatchObject(inNamespace('authenticate'))
    expect(await start({ parts: { maxStreams: 5 } })).toMatchObject(inNamespace('maxStreams'))
  })
})

describe('an option that would do nothing', () => {
  it('is refused', async () => {
    const idle = { authenticate: user, reauthorizeEvery: 5000 }
    expect(await start({ namespace: idle })).toMatchObject(refusal('reauthorizeEvery: does nothing without'))
    expect(await start({ namespace: { ...idle, reauthorize: user } })).toBe('started')
    const { calls } = tiny
    const roomless = defineContract({ name: 'none', version: '1.0.0', calls, rooms: {} })
    expect(await start({ namespace: idle, contract: roomless })).toMatchObject(
      refusal('reauthorizeEvery: does nothing without'),
    )
    const rooms = { hall: { params: Type.Object({}), events: {} } }
    const roomy = defineContract({ name: 'roomy', version: '1.0.0', calls, rooms })
    const parts = { rooms: { hall: { join: () => {} } } }
    expect(await start({ namespace: idle, contract: roomy, parts })).toBe('started')
    expect(await start({ app: { reauthorizeEvery: 5000 } })).toBe('started')
    for (const option of [
      { tickets: true },
      { cookie: 'token' },
      { tokenLead: 5000 },
      { jwt: { requireExp: false } },
    ]) {
      const [name] = Object.keys(option)
      expect(await start({ namespace: option })).toMatchObject(refusal(`${name}: `))
    }
    expect(await start({ namespace: { tickets: false } })).toBe('started')
  })

  it('or is of the wrong kind is told which it should be', async () => {
    for (const place of ['app', 'namespace'] as const) {
      for (const compression of ['yes', 1])
        expect(await start({ [place]: { compression } })).toMatchObject(
          refusal('compression: true, false or an object'),
        )
      for (const allowedOrigins of ['https://app.example.com', {}])
        expect(await start({ [place]: { allowedOrigins } })).toMatchObject(
          refusal('allowedOrigins: an array'),
        )
    }
  })
})

describe('a handler of the wrong kind', () => {
  const streams = defineContract({
    name: 'streams',
    version: '1.0.0',
    calls: { pull: call({ input: Type.Object({}), item: Type.Integer(), ack: Type.Null() }) },
  })
  const pull = async function* () {
    yield 1
    return null
  }

  it('of a stream fails the start where it is plainly no async generator', async () => {
    const wrong = [
      async () => pull(),
      function* () {
        yield 1
      },
    ]
    for (const handler of wrong)
      expect(await start({ contract: streams, parts: { calls: { pull: handler } } })).toMatchObject(
        refusal('calls["pull"] of /live: an async generator', 'ACKORD_INVALID_HANDLER'),
      )
    for (const handler of [pull, () => pull()])
      expect(await start({ contract: streams, parts: { calls: { pull: handler } } })).toBe('started')
  })

  it('of a call fails the start where it is a generator', async () => {
    const wrong = [
      async function* () {
        yield 1
      },
      function* () {
        yield 1
      },
    ]
    for (const handler of wrong)
      expect(await start({ parts: { calls: { echo: handler } } })).toMatchObject(
        refusal('calls["echo"] of /live: the contract has no `item`', 'ACKORD_INVALID_HANDLER'),
      )
  })
})

describe('routeConfig: { rateLimit }', () => {
  const limited = namespace(tiny, {
    path: '/live',
    authenticate: 'none',
    routeConfig: { rateLimit: { max: 2, timeWindow: 60_000 } },
  })
  const mounted = limited.plugin({ calls: { echo: (input) => input } })
  const missing = { code: 'ACKORD_RATE_LIMIT_PLUGIN_MISSING', message: expect.stringContaining('/live') }

  it('starts where @fastify/rate-limit is registered before the namespace', async () => {
    const { app } = makeApp()
    await app.register(ackord)
    app.register(rateLimit, { global: false })
    app.register(mounted)
    await app.ready()
  })

  it('fails the start where it is registered behind it, elsewhere, or not at all', async () => {
    const { app: behind } = makeApp()
    await behind.register(ackord)
    behind.register(mounted)
    behind.register(rateLimit, { global: false })
    await expect(async () => behind.ready()).rejects.toMatchObject(missing)

    const { app: elsewhere } = makeApp()
    await elsewhere.register(ackord)
    elsewhere.register(async (scope) => void (await scope.register(rateLimit)))
    elsewhere.register(mounted)
    await expect(async () => elsewhere.ready()).rejects.toMatchObject(missing)

    const { app } = makeApp()
    await app.register(ackord)
    await expect(async () => app.register(mounted)).rejects.toMatchObject(missing)
  })

  it('is not needed to say that there is no limit', async () => {
    expect(await start({ namespace: { routeConfig: { rateLimit: false } } })).toBe('started')
  })
})

describe('a hook with a name that is none', () => {
  it('is refused, and those there are listed', async () => {
    const { app } = makeApp()
    await app.register(ackord)
    expect(() => app.ackordGateway.addHook('onCalls' as 'onClose', () => {})).toThrow('onCall, onAnswer')
  })
})
