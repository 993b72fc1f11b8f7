import { createHmac } from 'node:crypto'
import jwtPlugin, { type FastifyJWTOptions } from '@fastify/jwt'
import type { FastifyInstance } from 'fastify'
import { afterEach, describe, expect, it } from 'vitest'
import { abortAll } from '../support/raw-client.js'
import { startServer, type TestServer } from '../support/server.js'
import { outcome, users, ways } from './support.js'

afterEach(abortAll)

const secret = 'a secret of the server, long enough'
const now = () => Math.floor(Date.now() / 1000)
const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')
/** A token made by hand. */
function sign(claims: object, key = secret, header: object = { alg: 'HS256', typ: 'JWT' }): string {
  const text = `${part(header)}.${part(claims)}`
  return `${text}.${createHmac('sha256', key).update(text).digest('base64url')}`
}

const serve = (options: FastifyJWTOptions = { secret }) =>
  startServer({
    namespace: {},
    before: async (app: FastifyInstance) => {
      await app.register(jwtPlugin, options)
    },
  })

async function everyWay(server: TestServer, token: string): Promise<number[]> {
  const codes: number[] = []
  for (const bring of Object.values(ways)) codes.push(await outcome(server, bring(token)))
  return codes
}

describe('@fastify/jwt, where a namespace says nothing', () => {
  it('lets in who has a good token, as its sub', async () => {
    const server = await serve()
    expect(await everyWay(server, sign({ sub: 'ann', exp: now() + 60, jti: 'j1' }))).toEqual([17, 17, 17])
    expect(users(server)).toContain('ann')
    const [connection] = server.live.connections()
    expect(connection?.user).toEqual({ id: 'ann', expiresAt: expect.any(Number), tokenId: 'j1' })
    expect(connection?.user.expiresAt).toBeGreaterThan(Date.now())
  })

  it('lets a token without an end stay', async () => {
    const server = await serve()
    expect(await outcome(server, { inHello: sign({ sub: 'ann' }) })).toBe(17)
    const [connection] = server.live.connections()
    expect(connection?.user).toEqual({ id: 'ann' })
  })

  const [head = '', , signature = ''] = sign({ sub: 'ann' }).split('.')
  const bad: Readonly<Record<string, string>> = {
    'an expired token': sign({ sub: 'ann', exp: now() - 60 }),
    'a token for later': sign({ sub: 'ann', nbf: now() + 600 }),
    'a token of another key': sign({ sub: 'ann' }, 'the secret of somebody else, also long'),
    'a token with another payload': `${head}.${part({ sub: 'root' })}.${signature}`,
    'an unsigned token': sign({ sub: 'ann' }).split('.').slice(0, 2).join('.'),
    'a token with an empty signature': `${head}.${part({ sub: 'ann' })}.`,
    'a token of alg none': `${part({ alg: 'none', typ: 'JWT' })}.${part({ sub: 'ann' })}.`,
    'a token of alg none with a signature': sign({ sub: 'ann' }, secret, { alg: 'none', typ: 'JWT' }),
    'a token without sub': sign({ name: 'ann' }),
    'a token whose sub is a number': sign({ sub: 42 }),
    'a token whose payload is null': sign(null as never),
    'something that is no token': 'ann',
  }
  for (const [what, token] of Object.entries(bad)) {
    it(`refuses ${what}, whichever way it comes`, async () => {
      const server = await serve()
      expect(await everyWay(server, token)).toEqual([401, 401, 4506])
      expect(users(server)).toEqual([])
      expect(server.lines.filter(({ level }) => Number(level) >= 50)).toEqual([])
    })
  }

  it('without sub is in the log, so that the developer finds it', async () => {
    const server = await serve()
    expect(await outcome(server, { inHello: sign({ name: 'ann' }) })).toBe(4506)
    expect(server.lines.filter(({ level }) => level === 40)).toMatchObject([
      { msg: expect.stringContaining('`sub`') },
    ])
  })

  it('under a namespace of its own verifies nothing for us: the app does not start', async () => {
    await expect(serve({ secret, namespace: 'other' })).rejects.toMatchObject({
      code: 'ACKORD_AUTHENTICATE_MISSING',
    })
  })

  it('takes its algorithms and issuer from the options of @fastify/jwt', async () => {
    const server = await serve({ secret, verify: { algorithms: ['HS256'], allowedIss: 'us' } })
    expect(await outcome(server, { inHello: sign({ sub: 'ann', iss: 'us' }) })).toBe(17)
    expect(await outcome(server, { inHello: sign({ sub: 'ann', iss: 'them' }) })).toBe(4506)
    const strict = await serve({ secret, verify: { algorithms: ['HS512'] } })
    expect(await outcome(strict, { inHello: sign({ sub: 'ann' }) })).toBe(4506)
  })

  it('in a scope beside the namespace is not seen: the app does not start', async () => {
    const register = async (app: FastifyInstance): Promise<void> => {
      await app.register(jwtPlugin, { secret })
    }
    await expect(
      startServer({
        namespace: {},
        before: async (app) => void (await app.register(async (scope) => register(scope))),
      }),
    ).rejects.toMatchObject({ code: 'ACKORD_AUTHENTICATE_MISSING' })
  })
})
