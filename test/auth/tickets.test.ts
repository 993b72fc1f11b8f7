import cookiePlugin from '@fastify/cookie'
import { afterEach, describe, expect, it } from 'vitest'
import { createClock } from '../../client/testing/clock.js'
import { eventually } from '../gateway/support.js'
import { abortAll } from '../support/raw-client.js'
import { type Member, type ServerOptions, startServer, type TestServer } from '../support/server.js'
import { asSubprotocol, enterWithTokens, outcome, settled, users } from './support.js'

afterEach(abortAll)

async function serve(options: ServerOptions = {}) {
  const clock = createClock()
  const asked: string[] = []
  const server = await startServer({
    clock,
    heartbeat: 300_000,
    ...options,
    namespace: {
      authenticate: ({ token }): Member | null => {
        asked.push(token)
        const [id = '', tokenId, end] = token.split(':')
        if (id === 'bad') return null
        return {
          id,
          role: 'member',
          ...(tokenId && { tokenId }),
          ...(end && { expiresAt: clock.wall() + Number(end) }),
        }
      },
      ...options.namespace,
    },
  })
  return Object.assign(server, { clock, asked })
}

const ask = async (server: TestServer, headers: Record<string, string>, body?: string) => {
  const response = await fetch(`${server.url.replace('ws', 'http')}/ticket`, {
    method: 'POST',
    headers,
    ...(body !== undefined && { body }),
  })
  return {
    status: response.status,
    headers: response.headers,
    body: (await response.json()) as { ticket: string; expiresIn: number; code: string },
  }
}
const ticketFor = async (server: TestServer, token = 'ann'): Promise<string> => {
  const { status, body } = await ask(server, { authorization: `Bearer ${token}` })
  expect([status, body.expiresIn]).toEqual([200, 30])
  return body.ticket
}

describe('a ticket', () => {
  it('has 128 random bits, is not cached, and lets its user in once', async () => {
    const server = await serve()
    const { status, headers, body } = await ask(server, { authorization: 'Bearer ann' })
    expect([status, headers.get('cache-control')]).toEqual([200, 'no-store'])
    expect(body).toEqual({ ticket: expect.stringMatching(/^ackord\.ticket\.[\w-]{22}$/), expiresIn: 30 })
    expect(await outcome(server, { inHello: body.ticket })).toBe(17)
    expect(users(server)).toEqual(['ann'])
    expect(await outcome(server, { inHello: body.ticket })).toBe(4506)
    expect(server.asked).toEqual(['ann'])
  })

  it('comes wherever a token does', async () => {
    const server = await serve()
    const protocols = ['ackord.v1.json', asSubprotocol(await ticketFor(server))]
    expect(await outcome(server, { protocols })).toBe(17)
    expect(await outcome(server, { protocols })).toBe(401)
    const authorization = `Bearer ${await ticketFor(server)}`
    expect(await outcome(server, { headers: { authorization } })).toBe(17)
    const client = await enterWithTokens(server, await ticketFor(server), 'other')
    client.send([9, await ticketFor(server)])
    expect((await client.next(25))[1]).toBe('accepted')
  })

  it('is not used by a plain GET that asks for the verdict', async () => {
    const server = await serve()
    const authorization = `Bearer ${await ticketFor(server)}`
    const verdict = async (headers = {}) =>
      (await server.app.inject({ url: '/v1/live', headers: { authorization, ...headers } })).statusCode
    expect([await verdict(), await verdict({ 'sec-websocket-protocol': 'ackord.v1.json' })]).toEqual([
      426, 426,
    ])
    expect(await outcome(server, { headers: { authorization } })).toBe(17)
    expect(await verdict()).toBe(401)
  })

  it('works for one of many who present it at once', async () => {
    const server = await serve()
    const inHello = await ticketFor(server)
    const all = await Promise.all(Array.from({ length: 20 }, () => outcome(server, { inHello })))
    expect(all.filter((code) => code === 17)).toHaveLength(1)
    expect(all.filter((code) => code === 4506)).toHaveLength(19)
  })

  it('is good for 30 seconds', async () => {
    const server = await serve()
    const [first, second] = [await ticketFor(server), await ticketFor(server)]
    server.clock.advance(29_999)
    expect(await outcome(server, { inHello: first })).toBe(17)
    server.clock.advance(1)
    expect(await outcome(server, { inHello: second })).toBe(4506)
  })

  it('keeps the end of the token it was made for', async () => {
    const server = await serve()
    const ticket = await ticketFor(server, 'ann:t:20000')
    server.clock.advance(10_000)
    const client = await server.enter(ticket)
    server.clock.advance(9999)
    await settled(client)
    server.clock.advance(1)
    expect((await client.closed()).code).toBe(4002)
    const late = await ticketFor(server, 'ann:t:20000')
    server.clock.advance(20_000)
    expect(await outcome(server, { inHello: late })).toBe(4506)
  })

  it('goes with a revocation of its user or its token', async () => {
    const server = await serve()
    const mine = [await ticketFor(server, 'ann:t1'), await ticketFor(server, 'ann:t2')]
    const other = await ticketFor(server, 'ben:t3')
    await server.live.revoke({ user: 'ann' })
    for (const inHello of mine) expect(await outcome(server, { inHello })).toBe(4506)
    expect(await outcome(server, { inHello: other })).toBe(17)
    const doubted = await ticketFor(server, 'ben:t3')
    await server.live.revoke({ tokenId: 't3' }, { mode: 'reauthorize' })
    expect(await outcome(server, { inHello: doubted })).toBe(4506)
    await server.live.revoke({ tokenId: 't3' })
    expect((await ask(server, { authorization: 'Bearer ben:t3' })).status).toBe(401)
  })

  it('is not made where its user or token was revoked while it was being made', async () => {
    for (const target of [{ user: 'ann' }, { tokenId: 't' }]) {
      for (const mode of ['close', 'reauthorize'] as const) {
        const waiting: Array<(member: Member) => void> = []
        const authenticate = () => new Promise<Member>((resolve) => waiting.push(resolve))
        const server = await serve({ namespace: { authenticate } })
        const made = ask(server, { authorization: 'Bearer ann:t' })
        await eventually(() => expect(waiting).toHaveLength(1))
        await server.live.revoke(target, { mode })
        waiting[0]?.({ id: 'ann', tokenId: 't', role: 'member' })
        expect([target, mode, (await made).status]).toEqual([target, mode, 401])
      }
    }
  })

  it('is not made for a ticket, nor for nobody, nor for a bad token', async () => {
    const server = await serve()
    const ticket = await ticketFor(server)
    for (const headers of [{ authorization: `Bearer ${ticket}` }, {}, { authorization: 'Bearer bad' }]) {
      const { status, body } = await ask(server, headers as Record<string, string>)
      expect([status, body.code]).toEqual([401, 'UNAUTHORIZED'])
    }
    expect(await outcome(server, { inHello: ticket })).toBe(17)
  })

  it('made up, or changed by a letter, lets nobody in', async () => {
    const server = await serve()
    const ticket = await ticketFor(server)
    for (const inHello of ['ackord.ticket.', `${ticket}x`, ticket.replace(/.$/, '~'), ticket.slice(0, -1)])
      expect(await outcome(server, { inHello })).toBe(4506)
    expect(server.asked).toEqual(['ann'])
  })

  it('by a cookie is made only for pages of an allowed origin', async () => {
    const server = await serve({
      before: async (app) => {
        await app.register(cookiePlugin)
      },
      namespace: { cookie: 'sid', allowedOrigins: ['https://app.example.com'] },
    })
    const from = (origin?: string) => ask(server, { cookie: 'sid=ann', ...(origin && { origin }) })
    expect(await from('https://evil.example')).toMatchObject({
      status: 403,
      body: { code: 'ORIGIN_FORBIDDEN' },
    })
    expect(await from('null')).toMatchObject({ status: 403 })
    expect(await from('https://app.example.com')).toMatchObject({ status: 200 })
    expect(await from()).toMatchObject({ status: 200 })
  })

  it('is made whatever stands in the body', async () => {
    const server = await serve()
    for (const [type, body] of [
      ['application/json', '{'],
      ['text/plain', 'x'.repeat(2_000_000)],
      ['multipart/form-data', 'x'],
      ['application/json', ''],
    ] as const) {
      const { status } = await ask(server, { authorization: 'Bearer ann', 'content-type': type }, body)
      expect([type, status]).toEqual([type, 200])
    }
  })

  it('is not made where a user has sixteen unused ones, until one is used or too old', async () => {
    const server = await serve()
    const tickets: string[] = []
    for (let i = 0; i < 16; i++) tickets.push(await ticketFor(server))
    const { status, body, headers } = await ask(server, { authorization: 'Bearer ann' })
    expect([status, body.code, headers.get('retry-after')]).toEqual([429, 'TOO_MANY_REQUESTS', '30'])
    await ticketFor(server, 'ben')
    expect(await outcome(server, { inHello: tickets[0] as string })).toBe(17)
    await ticketFor(server)
    server.clock.advance(30_000)
    for (let i = 0; i < 16; i++) await ticketFor(server)
  })

  it("is not offered where tickets are off, or everybody may connect ('none')", async () => {
    for (const namespace of [{ tickets: false }, { authenticate: 'none' }] as const) {
      const server = await serve({ namespace })
      expect((await ask(server, { authorization: 'Bearer ann' })).status).toBe(404)
    }
  })

  it('is never in the log', async () => {
    const server = await serve()
    const ticket = await ticketFor(server)
    await outcome(server, { inHello: ticket })
    await outcome(server, { headers: { authorization: `Bearer ${ticket}` } })
    expect(JSON.stringify(server.lines)).not.toContain(ticket)
  })
})
