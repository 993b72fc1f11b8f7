import { afterEach, describe, expect, it } from 'vitest'
import { Refusal } from '../../plugins/index.js'
import { abortAll, connect, refused } from '../support/raw-client.js'
import { type Member, makeLive, type ServerOptions, startServer } from '../support/server.js'
import { hello, outcome, users, ways } from './support.js'

afterEach(abortAll)

const carriers = Object.entries(ways)
const error = (message: string, properties: object): Error => Object.assign(new Error(message), properties)

/** What `authenticate` does, the status before the 101, the close code after it, and whether it is for the log. */
const results: ReadonlyArray<
  readonly [what: string, make: () => unknown, status: number, code: number, logged: boolean]
> = [
  ['returns null', () => null, 401, 4506, false],
  ['returns undefined', () => undefined, 401, 4506, false],
  ['throws an Error', () => Promise.reject(new Error('secret')), 401, 4506, false],
  ['throws before it awaits', () => fail(new Error('secret')), 401, 4506, false],
  ['throws a text', () => fail('secret'), 401, 4506, false],
  ['throws null', () => fail(null), 401, 4506, false],
  ['throws undefined', () => Promise.reject(undefined), 401, 4506, false],
  ['throws statusCode 400', () => fail(error('secret', { statusCode: 400 })), 401, 4506, false],
  ['throws statusCode 403', () => fail(error('secret', { statusCode: 403 })), 403, 4507, false],
  ['throws statusCode 500', () => fail(error('secret', { statusCode: 500 })), 503, 4006, true],
  ['throws statusCode 503', () => fail(error('secret', { statusCode: 503 })), 503, 4006, true],
  [
    'throws an error of the system',
    () => fail(error('secret', { code: 'ECONNREFUSED', syscall: 'connect' })),
    503,
    4006,
    true,
  ],
  [
    'throws a name that is not found',
    () => fail(error('secret', { code: 'ENOTFOUND', syscall: 'getaddrinfo' })),
    503,
    4006,
    true,
  ],
  [
    'throws one for several addresses',
    () => fail(Object.assign(new AggregateError([], 'secret'), { code: 'ECONNREFUSED' })),
    503,
    4006,
    true,
  ],
  [
    'throws one that fetch wrapped',
    () => fail(new TypeError('fetch failed', { cause: error('secret', { code: 'ECONNRESET' }) })),
    503,
    4006,
    true,
  ],
  ['throws a time-out', () => fail(new DOMException('secret', 'TimeoutError')), 503, 4006, true],
  ['throws an error that is its own cause', () => fail(circular()), 401, 4506, false],
  [
    'throws 401 caused by the system',
    () => fail(error('secret', { statusCode: 401, cause: error('', { syscall: 'read' }) })),
    401,
    4506,
    false,
  ],
  ['throws a Refusal', () => fail(new Refusal(429, 'SLOW', 'slower', 3)), 429, 1013, false],
  ['returns nobody', () => ({}), 503, 4006, true],
  ['returns a text', () => 'ann', 503, 4006, true],
  ['returns true', () => true, 503, 4006, true],
  ['returns an id that is a number', () => ({ id: 42 }), 503, 4006, true],
  ['returns an empty id', () => ({ id: '' }), 503, 4006, true],
  ['returns an id of 257 characters', () => ({ id: 'x'.repeat(257) }), 503, 4006, true],
  ['returns an end that is a text', () => ({ id: 'ann', expiresAt: '2099-01-01' }), 503, 4006, true],
  ['returns an end that is digits', () => ({ id: 'ann', expiresAt: '9999999999999' }), 503, 4006, true],
  ['returns an end that is no number', () => ({ id: 'ann', expiresAt: Number.NaN }), 503, 4006, true],
  ['returns an end that is null', () => ({ id: 'ann', expiresAt: null }), 503, 4006, true],
  ['returns an end in the past', () => ({ id: 'ann', expiresAt: Date.now() - 1 }), 401, 4506, false],
  ['returns an id of 256 characters', () => ({ id: 'x'.repeat(256) }), 17, 17, false],
  [
    'returns an end that never comes',
    () => ({ id: 'ann', expiresAt: Number.POSITIVE_INFINITY }),
    17,
    17,
    false,
  ],
]

function circular(): Error {
  const own = new Error('secret')
  own.cause = own
  return own
}

function fail(thrown: unknown): never {
  throw thrown
}

describe('an authenticate that', () => {
  for (const [what, make, status, code, logged] of results) {
    for (const [where, bring] of carriers) {
      const expected = where === 'HELLO' ? code : status
      it(`${what} for a token in ${where} leads to ${expected}`, async () => {
        const authenticate = () => make() as Member
        const server = await startServer({ namespace: { authenticate } })
        expect(await outcome(server, bring('token'))).toBe(expected)
        expect(server.lines.some(({ level }) => Number(level) >= 50)).toBe(logged)
        expect(users(server)).toHaveLength(expected === 17 ? 1 : 0)
      })
    }
  }

  it('fails tells the client nothing of why', async () => {
    const server = await startServer({
      namespace: { authenticate: () => fail(error('a secret of the database', { statusCode: 503 })) },
    })
    const refusal = await refused(server.url, ways['the Authorization header']?.('token'))
    expect(refusal).toMatchObject({ status: 503, headers: { 'retry-after': '5' } })
    expect(JSON.parse(refusal.body)).toEqual({
      statusCode: 503,
      code: 'UNAVAILABLE',
      message: 'authentication is not available now',
      retryAfter: 5,
    })
    const client = await connect(server.url)
    client.send(hello('token'))
    expect(await client.closed()).toEqual({ code: 4006, reason: 'authentication is not available now' })
  })

  it('has a slip in it is in the log with its error', async () => {
    const slip = () => fail(new TypeError('of the application'))
    const server = await startServer({ namespace: { authenticate: slip } })
    expect(await outcome(server, { inHello: 'token' })).toBe(4506)
    expect(server.lines.filter(({ level }) => Number(level) >= 40)).toMatchObject([
      { level: 40, err: { message: 'of the application' } },
    ])
  })

  it('is not asked, for want of a token, is in the log for debugging', async () => {
    const server = await startServer()
    expect(await outcome(server)).toBe(4506)
    expect(server.lines.filter(({ msg }) => String(msg).includes('token'))).toMatchObject([{ level: 20 }])
  })

  it('wants to know more is given the token, a snapshot of the upgrade, and the app', async () => {
    const seen: unknown[] = []
    const server = await startServer({
      namespace: {
        authenticate: ({ token, upgrade }, app) => {
          seen.push([token, upgrade.ip, upgrade.url, upgrade.headers['x-mine'], app.hasDecorator('ackord')])
          return { id: token, role: 'member' }
        },
      },
    })
    const headers = { 'x-mine': 'yes' }
    await outcome(server, { headers, inHello: 'ann' })
    await outcome(server, { headers: { ...headers, authorization: 'Bearer ben' } })
    expect(seen).toEqual([
      ['ann', '127.0.0.1', '/v1/live', 'yes', true],
      ['ben', '127.0.0.1', '/v1/live', 'yes', true],
    ])
  })
})

describe('before a token is accepted', () => {
  for (const token of ['bad', undefined]) {
    it(`nothing of the application runs (${token ?? 'no'} token)`, async () => {
      const ran: string[] = []
      const options: ServerOptions = {
        namespace: {
          authenticate: () => null,
          data: () => void ran.push('data'),
        },
        after: (app) => {
          const { addHook } = app.ackordGateway
          addHook('onConnect', () => void ran.push('onConnect'))
          addHook('onDisconnect', () => void ran.push('onDisconnect'))
          addHook('onJoin', () => void ran.push('onJoin'))
          addHook('onCall', (_call, next) => {
            ran.push('onCall')
            return next()
          })
        },
      }
      const server = await startServer(options)
      const client = await server.connect()
      client.send(hello(token))
      client.send([2, 1, 'echo', { text: 'hi' }])
      client.send([2, 2, 'nudge', { name: 'hi' }])
      client.send([6, 3, 'channel', { id: 'a' }])
      expect((await client.closed()).code).toBe(4506)
      expect([client.frames, ran, server.probe.log]).toEqual([[], [], []])
    })
  }
})

describe('who may connect', () => {
  it('has to be said, or the app does not start', async () => {
    await expect(startServer({ namespace: {} })).rejects.toMatchObject({
      code: 'ACKORD_AUTHENTICATE_MISSING',
    })
  })

  it("is everybody where 'none' is written, each as somebody else, token or not", async () => {
    const server = await startServer({ namespace: { authenticate: 'none' } })
    expect(await outcome(server)).toBe(17)
    for (const bring of Object.values(ways)) expect(await outcome(server, bring('any'))).toBe(17)
    expect(new Set(users(server)).size).toBe(4)
    for (const id of users(server)) expect(id).toMatch(/^[\da-f-]{36}$/)
  })

  it('is asked per namespace', async () => {
    const open = makeLive('/open', { authenticate: 'none' })
    const server = await startServer({
      namespace: { authenticate: () => null },
      after: async (app) => {
        await app.register(
          open.plugin({
            calls: { echo: (input) => input, wait: () => null, nudge: () => {} },
            rooms: { channel: { join: () => true } },
          }),
        )
      },
    })
    expect(await outcome(server, { inHello: 'ann' })).toBe(4506)
    const client = await connect(`ws://127.0.0.1:${server.port}/open`)
    client.send(hello())
    expect((await client.next())[0]).toBe(17)
  })
})
