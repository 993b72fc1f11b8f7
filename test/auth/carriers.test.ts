import cookiePlugin from '@fastify/cookie'
import type { FastifyInstance } from 'fastify'
import { afterEach, describe, expect, it } from 'vitest'
import { abortAll, connect, refused } from '../support/raw-client.js'
import { type Member, startServer } from '../support/server.js'
import { asSubprotocol, hello, outcome, users, ways } from './support.js'

afterEach(abortAll)

const authenticate = ({ token }: { readonly token: string }): Member | null =>
  token.startsWith('bad') ? null : { id: token, role: 'member' }
const withCookies = async (app: FastifyInstance): Promise<void> => {
  await app.register(cookiePlugin)
}

describe('a token', () => {
  for (const [where, bring] of Object.entries(ways)) {
    it(`in ${where} says who connects`, async () => {
      const server = await startServer({ namespace: { authenticate } })
      expect(await outcome(server, bring('ann'))).toBe(17)
      expect(users(server)).toEqual(['ann'])
    })

    it(`in ${where} is never logged, whether it is good or bad`, async () => {
      const server = await startServer({ namespace: { authenticate } })
      await outcome(server, bring('secret-good'))
      await outcome(server, bring('bad-secret'))
      expect(server.lines.length).toBeGreaterThan(0)
      const log = JSON.stringify(server.lines)
      expect(log).not.toContain('secret')
      expect(log).not.toContain(Buffer.from('secret-good').toString('base64url'))
    })
  }

  it('in a cookie that the namespace names says who connects', async () => {
    const server = await startServer({ before: withCookies, namespace: { authenticate, cookie: 'sid' } })
    expect(await outcome(server, { headers: { cookie: 'other=x; sid=ann%20b' } })).toBe(17)
    expect(users(server)).toEqual(['ann b'])
    expect(await outcome(server, { headers: { cookie: 'sid=bad' } })).toBe(401)
    // Another cookie is no token: HELLO has to bring one.
    expect(await outcome(server, { headers: { cookie: 'SID=ann' } })).toBe(4506)
  })

  it('in a cookie is looked at where the app names one for all namespaces, and not where nobody does', async () => {
    const named = await startServer({ before: withCookies, cookie: 'sid' })
    expect(await outcome(named, { headers: { cookie: 'sid=ann' } })).toBe(17)
    const unnamed = await startServer({ before: withCookies })
    expect(await outcome(unnamed, { headers: { cookie: 'sid=ann' } })).toBe(4506)
  })

  it('in a cookie needs @fastify/cookie, or the app does not start', async () => {
    await expect(startServer({ cookie: 'sid' })).rejects.toMatchObject({
      code: 'ACKORD_COOKIE_PLUGIN_MISSING',
    })
    await expect(startServer({ cookie: 'sid', after: withCookies })).rejects.toMatchObject({
      code: 'ACKORD_COOKIE_PLUGIN_MISSING',
    })
  })

  it('is taken from the first that has one: header, cookie, subprotocol, HELLO', async () => {
    const server = await startServer({ before: withCookies, namespace: { authenticate, cookie: 'sid' } })
    const headers = { authorization: 'Bearer header', cookie: 'sid=cookie' }
    const protocols = ['ackord.v1.json', asSubprotocol('subprotocol')]
    const who = async (options: Parameters<typeof outcome>[1]) => {
      expect(await outcome(server, options)).toBe(17)
      return users(server).at(-1)
    }
    expect(await who({ headers, protocols, inHello: 'hello' })).toBe('header')
    expect(await who({ headers: { cookie: 'sid=cookie' }, protocols, inHello: 'hello' })).toBe('cookie')
    expect(await who({ protocols, inHello: 'hello' })).toBe('subprotocol')
    expect(await who({ inHello: 'hello' })).toBe('hello')
    // A bad one is refused, and not passed over for the next.
    expect(await outcome(server, { headers: { authorization: 'Bearer bad' }, protocols })).toBe(401)
    expect(await outcome(server, { headers: { cookie: 'sid=bad' }, protocols })).toBe(401)
    expect(
      await outcome(server, { protocols: ['ackord.v1.json', asSubprotocol('bad')], inHello: 'hello' }),
    ).toBe(401)
  })

  it('in a subprotocol may be any text, and only the real subprotocol is echoed', async () => {
    const server = await startServer({ namespace: { authenticate } })
    const client = await connect(server.url, {
      protocols: [asSubprotocol('Ärger ☃ \u{1F600}'), 'ackord.v1.json'],
    })
    expect(client.protocol).toBe('ackord.v1.json')
    client.send(hello())
    await client.next(17)
    expect(users(server)).toEqual(['Ärger ☃ \u{1F600}'])
    // Without the real one there is nothing to speak.
    expect(await refused(server.url, { protocols: [asSubprotocol('ann')] })).toMatchObject({ status: 426 })
  })

  it('that is empty is none in the header, and refused elsewhere', async () => {
    const server = await startServer({ before: withCookies, namespace: { authenticate, cookie: 'sid' } })
    const inHello = 'ann'
    for (const authorization of ['Bearer', 'Bearer ', 'Basic YW5uOmFubg==', 'Bearer a b', 'ann']) {
      expect([authorization, await outcome(server, { headers: { authorization }, inHello })]).toEqual([
        authorization,
        17,
      ])
    }
    expect(await outcome(server, { headers: { cookie: 'sid=' }, inHello })).toBe(401)
    expect(await outcome(server, { protocols: ['ackord.v1.json', 'ackord.token.'], inHello })).toBe(401)
    expect(await outcome(server, { inHello: '' })).toBe(4506)
  })

  it('has a scheme in any case', async () => {
    const server = await startServer({ namespace: { authenticate } })
    expect(await outcome(server, { headers: { authorization: 'bearer   ann  ' } })).toBe(17)
    expect(users(server)).toEqual(['ann'])
  })

  it('is 16,384 characters long at most', async () => {
    const lengths: number[] = []
    const server = await startServer({
      namespace: {
        authenticate: ({ token }) => {
          lengths.push(token.length)
          return { id: 'ann', role: 'member' }
        },
      },
    })
    expect(await outcome(server, { inHello: 'x'.repeat(16_384) })).toBe(17)
    expect(await outcome(server, { inHello: 'x'.repeat(16_385) })).toBe(4500)
    expect(lengths).toEqual([16_384])
  })
})
