import { createHmac, generateKeyPairSync, sign as signWith } from 'node:crypto'
import jwtPlugin, { type FastifyJWTOptions } from '@fastify/jwt'
import type { FastifyInstance } from 'fastify'
import { afterEach, describe, expect, it } from 'vitest'
import type { JwtOptions } from '../../plugins/index.js'
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

const serve = (options: FastifyJWTOptions = { secret }, asked?: JwtOptions) =>
  startServer({
    namespace: { ...(asked && { jwt: asked }) },
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

  it('lets a token without an end stay only where the namespace says so', async () => {
    const token = sign({ sub: 'ann' })
    expect(await everyWay(await serve(), token)).toEqual([401, 401, 4506])
    const server = await serve({ secret }, { requireExp: false })
    expect(await outcome(server, { inHello: token })).toBe(17)
    const [connection] = server.live.connections()
    expect(connection?.user).toEqual({ id: 'ann' })
  })

  const exp = now() + 600
  const ann = { sub: 'ann', exp }
  const [head = '', , signature = ''] = sign(ann).split('.')
  const bad: Readonly<Record<string, string>> = {
    'an expired token': sign({ sub: 'ann', exp: now() - 60 }),
    'a token without an end': sign({ sub: 'ann' }),
    'a token whose end is a text': sign({ sub: 'ann', exp: String(exp) }),
    'a token for later': sign({ ...ann, nbf: now() + 600 }),
    'a token of another key': sign(ann, 'the secret of somebody else, also long'),
    'a token with another payload': `${head}.${part({ ...ann, sub: 'root' })}.${signature}`,
    'an unsigned token': sign(ann).split('.').slice(0, 2).join('.'),
    'a token with an empty signature': `${head}.${part(ann)}.`,
    'a token of alg none': `${part({ alg: 'none', typ: 'JWT' })}.${part(ann)}.`,
    'a token of alg none with a signature': sign(ann, secret, { alg: 'none', typ: 'JWT' }),
    'a token without sub': sign({ name: 'ann', exp }),
    'a token whose sub is a number': sign({ sub: 42, exp }),
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
    expect(await outcome(server, { inHello: sign({ name: 'ann', exp }) })).toBe(4506)
    expect(server.lines.filter(({ level }) => level === 40)).toMatchObject([{ claim: 'sub' }])
  })

  it('under a namespace of its own verifies nothing for us: the app does not start', async () => {
    await expect(serve({ secret, namespace: 'other' })).rejects.toMatchObject({
      code: 'ACKORD_AUTHENTICATE_MISSING',
    })
  })

  it('takes its algorithms and issuer from the options of @fastify/jwt', async () => {
    const server = await serve({ secret, verify: { algorithms: ['HS256'], allowedIss: 'us' } })
    expect(await outcome(server, { inHello: sign({ ...ann, iss: 'us' }) })).toBe(17)
    expect(await outcome(server, { inHello: sign({ ...ann, iss: 'them' }) })).toBe(4506)
    const strict = await serve({ secret, verify: { algorithms: ['HS512'] } })
    expect(await outcome(strict, { inHello: sign(ann) })).toBe(4506)
  })

  it('takes its algorithms, audience and issuer from the namespace, and then a token has to have them', async () => {
    const asked = { algorithms: ['HS256'], audience: ['chat', 'all'], issuer: 'us' }
    const server = await serve({ secret }, asked)
    const good = { ...ann, aud: 'chat', iss: 'us' }
    const codes = async (token: string) => outcome(server, { inHello: token })
    expect(await codes(sign(good))).toBe(17)
    expect(await codes(sign({ ...good, aud: ['other', 'all'] }))).toBe(17)
    for (const claims of [
      { ...good, aud: 'other' },
      { ...good, aud: ['other'] },
      { ...good, aud: [] },
      { ...ann, iss: 'us' },
      { ...good, iss: 'them' },
      { ...good, iss: ['us'] },
      { ...ann, aud: 'chat' },
      { sub: 'ann', aud: 'chat', iss: 'us' },
    ]) {
      expect([claims, await codes(sign(claims))]).toEqual([claims, 4506])
    }
    const hs512 = { alg: 'HS512', typ: 'JWT' }
    const text = `${part(hs512)}.${part(good)}`
    const strong = `${text}.${createHmac('sha512', secret).update(text).digest('base64url')}`
    expect(await codes(strong)).toBe(4506)
    expect(await outcome(await serve({ secret }), { inHello: strong })).toBe(17)
  })

  it('with a public key takes no token that was signed with its text as a secret', async () => {
    const { publicKey, privateKey } = generateKeyPairSync('rsa', {
      modulusLength: 2048,
      publicKeyEncoding: { type: 'spki', format: 'pem' },
      privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    })
    const text = `${part({ alg: 'RS256', typ: 'JWT' })}.${part(ann)}`
    const real = `${text}.${signWith('sha256', Buffer.from(text), privateKey).toString('base64url')}`
    const ways: ReadonlyArray<FastifyJWTOptions['secret']> = [
      { public: publicKey, private: privateKey },
      { public: publicKey },
      async () => publicKey,
    ]
    for (const each of ways) {
      for (const asked of [undefined, { algorithms: ['RS256'] }, { algorithms: ['RS256', 'HS256'] }]) {
        const server = await serve({ secret: each }, asked)
        expect(await outcome(server, { inHello: real })).toBe(17)
        expect(await outcome(server, { inHello: sign(ann, publicKey) })).toBe(4506)
        expect(await outcome(server, { inHello: sign(ann, publicKey, { alg: 'none' }) })).toBe(4506)
      }
    }
  })

  it('is asked for what cannot be: the app does not start', async () => {
    const wrong = [
      { algorithms: [] },
      { algorithms: ['none'] },
      { audience: '' },
      { issuer: [] },
      { aud: 'chat' },
    ]
    for (const asked of wrong) {
      await expect(async () => serve({ secret }, asked as JwtOptions)).rejects.toMatchObject({
        code: 'ACKORD_INVALID_OPTION',
      })
    }
    await expect(async () =>
      startServer({ namespace: { authenticate: () => null, jwt: {} } }),
    ).rejects.toMatchObject({ code: 'ACKORD_INVALID_OPTION' })
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
