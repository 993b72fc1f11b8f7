import { afterEach, describe, expect, it } from 'vitest'
import { createClock } from '../../client/testing/clock.js'
import { type AckordOptions, ackord, namespace } from '../../plugins/index.js'
import { connectBytes, upgradeRequest } from '../support/raw-bytes.js'
import { abortAll, type ConnectOptions, connect, type RawClient, refused } from '../support/raw-client.js'
import { serveSlowly } from './slow-server.js'
import { eventually, hello, listen, makeApp, mountTiny, socketsOf, tiny } from './support.js'

afterEach(abortAll)

/** A server whose users are the texts of their tokens, behind a proxy that is trusted. */
async function serve(options: AckordOptions = {}) {
  const made = makeApp({ trustProxy: true })
  const { app } = made
  await app.register(ackord, { grace: 500, ...options })
  await app.register(
    mountTiny(namespace(tiny, { path: '/live', authenticate: ({ token }) => ({ id: token }) })),
  )
  const url = `ws://127.0.0.1:${await listen(app)}/live`
  const { gateway } = app.ackordGateway
  return {
    ...made,
    url,
    gateway,
    /** An upgrade from an address, with a token where there is one. */
    open: (from: string, user?: string): Promise<RawClient> => connect(url, upgradeFrom(from, user)),
    refused: async (from: string, user?: string) => {
      const { status, headers, body } = await refused(url, upgradeFrom(from, user))
      const answer: { code: string; retryAfter: number } = JSON.parse(body)
      expect(Number(headers['retry-after'])).toBe(answer.retryAfter)
      expect(answer.retryAfter).toBeGreaterThan(0)
      return [status, answer.code]
    },
    /** What is counted: connections, unauthenticated ones, and of how many addresses. */
    counts: () => {
      const { connections, anonymous } = gateway.caps
      return [connections.size, anonymous.size, connections.keys, anonymous.keys]
    },
  }
}

const upgradeFrom = (from: string, user?: string): ConnectOptions => ({
  headers: { 'x-forwarded-for': from, ...(user !== undefined && { authorization: `Bearer ${user}` }) },
})

describe('connections of a node', () => {
  it('have a bound: one more gets 503 FULL, until one has gone', async () => {
    const { open, refused, counts, warnings } = await serve({ maxConnections: 3 })
    const clients = [await open('192.0.2.1', 'a'), await open('192.0.2.2', 'b'), await open('192.0.2.3')]
    expect(counts()).toEqual([3, 1, 3, 1])
    expect(await refused('192.0.2.4', 'd')).toEqual([503, 'FULL'])
    expect(await refused('192.0.2.4')).toEqual([503, 'FULL'])
    clients[0]?.abort()
    await eventually(() => expect(counts()).toEqual([2, 1, 2, 1]))
    await open('192.0.2.4', 'd')
    expect(warnings()).toMatchObject([{ code: 'FULL', option: 'maxConnections', unsaid: 0 }])
  })

  it('are told to be full in the log, however many make up Origins', async () => {
    const { url, open, refused, warnings } = await serve({ maxConnections: 1 })
    for (let n = 0; n < 120; n++) {
      const made = { headers: { origin: `https://${n}.example` } }
      await expect(connect(url, made)).rejects.toMatchObject({ status: 403 })
    }
    expect(warnings()).toHaveLength(100)
    await open('192.0.2.1')
    expect(await refused('192.0.2.2')).toEqual([503, 'FULL'])
    expect(warnings().at(-1)).toMatchObject({ code: 'FULL', option: 'maxConnections', unsaid: 0 })
  })

  it('count until their socket is closed, not only until they are over', async () => {
    const { open, refused, counts, gateway } = await serve({ maxConnections: 1 })
    const client = await open('192.0.2.1')
    client.pause()
    client.send([99])
    await eventually(() => expect(gateway.handshakes.size).toBe(0))
    // No longer among those whose token is to come.
    expect(counts()).toEqual([1, 0, 1, 0])
    expect(await refused('192.0.2.2')).toEqual([503, 'FULL'])
    client.resume()
    await client.closed()
    await eventually(() => expect(counts()).toEqual([0, 0, 0, 0]))
  })
})

describe('connections of an address', () => {
  it('have a bound: one more gets 429, other addresses come in, and the log says what to look at', async () => {
    const { open, refused, counts, warnings } = await serve({ maxConnectionsPerAddress: 2 })
    const first = await open('192.0.2.1', 'a')
    await open('::ffff:192.0.2.1', 'b')
    expect(await refused('192.0.2.1', 'c')).toEqual([429, 'TOO_MANY_CONNECTIONS'])
    expect(await refused('192.0.2.1')).toEqual([429, 'TOO_MANY_CONNECTIONS'])
    await open('192.0.2.2', 'c')
    for (const host of ['1', 'ffff:ffff:ffff:ffff']) await open(`2001:db8:0:7:${host.padStart(5, ':')}`, 'd')
    expect(await refused('2001:db8:0:7::3', 'd')).toEqual([429, 'TOO_MANY_CONNECTIONS'])
    await open('2001:db8:0:8::3', 'd')
    expect(warnings()).toMatchObject([
      { option: 'maxConnectionsPerAddress', ip: '192.0.2.1', msg: expect.stringContaining('trustProxy') },
    ])
    first.abort()
    await eventually(() => expect(counts()).toEqual([5, 0, 4, 0]))
    await open('192.0.2.1', 'c')
  })

  it('are told before Origin, subprotocol and token are looked at', async () => {
    const { url, open } = await serve({ maxConnectionsPerAddress: 1 })
    await open('192.0.2.1', 'a')
    const options = upgradeFrom('192.0.2.1', 'b')
    const headers = { ...options.headers, origin: 'https://evil.example' }
    expect((await refused(url, { headers, protocols: ['other'] })).status).toBe(429)
  })

  it('that are refused for another reason give their place back', async () => {
    const { url, counts } = await serve()
    for (let i = 0; i < 20; i++) {
      expect((await refused(url, { headers: { origin: 'https://evil.example' } })).status).toBe(403)
    }
    await eventually(() => expect(counts()).toEqual([0, 0, 0, 0]))
  })
})

describe('connections whose token is still to come', () => {
  it('have a bound of their own, and a quarter of it for an address; with a token one comes in', async () => {
    const { open, refused, counts } = await serve({ maxUnauthenticated: 8 })
    const clients: RawClient[] = []
    for (const n of [1, 2, 3, 4]) {
      clients.push(await open(`192.0.2.${n}`), await open(`192.0.2.${n}`))
      if (n === 1) expect(await refused('192.0.2.1')).toEqual([429, 'TOO_MANY_CONNECTIONS'])
    }
    expect(counts()).toEqual([8, 8, 4, 4])
    expect(await refused('192.0.2.5')).toEqual([503, 'OVERLOADED'])
    await open('192.0.2.1', 'a')
    clients[0]?.send(hello('s', 'ann'))
    await clients[0]?.next(17)
    expect(counts()).toEqual([9, 7, 4, 4])
    await open('192.0.2.1')
    clients[1]?.send([99])
    clients[2]?.abort()
    await eventually(() => expect(counts()).toEqual([8, 6, 4, 4]))
  })

  it('are given back where HELLO does not come, or is refused', async () => {
    const clock = createClock()
    const { open, counts } = await serve({ clock })
    const client = await open('192.0.2.1')
    expect(counts()).toEqual([1, 1, 1, 1])
    clock.advance(5000)
    expect((await client.closed()).code).toBe(4001)
    await eventually(() => expect(counts()).toEqual([0, 0, 0, 0]))
  })
})

describe('connections of a user', () => {
  const enter = async (client: RawClient, session: string, user: string) => {
    client.send(hello(session, user))
    return client
  }

  it('have a bound: one more session is closed with 1013 that says so, and comes in when another has gone', async () => {
    const { open } = await serve({ maxConnectionsPerUser: 3 })
    const tabs: RawClient[] = []
    for (const session of ['a', 'b', 'c']) {
      const tab = await enter(await open('192.0.2.1'), session, 'ann')
      await tab.next(17)
      tabs.push(tab)
    }
    const fourth = await enter(await open('192.0.2.1', 'ann'), 'd', 'ann')
    expect(await fourth.closed()).toEqual({ code: 1013, reason: 'too many connections of this user' })
    expect(fourth.frames).toEqual([])
    await (await enter(await open('192.0.2.1'), 'd', 'bob')).next(17)
    tabs[0]?.close()
    await tabs[0]?.closed()
    await (await enter(await open('192.0.2.1'), 'd', 'ann')).next(17)
  })

  it('come back at the bound: a session that replaces its own connection does not count twice', async () => {
    const { open, gateway } = await serve({ maxConnectionsPerUser: 2 })
    const [a, b] = [await open('192.0.2.1', 'ann'), await open('192.0.2.1', 'ann')]
    for (const [client, session] of [
      [a, 'a'],
      [b, 'b'],
    ] as const) {
      await enter(client, session, 'ann')
      await client.next(17)
    }
    const again = await enter(await open('192.0.2.1', 'ann'), 'a', 'ann')
    await again.next(17)
    expect((await a.closed()).code).toBe(4505)
    expect(gateway.mountOf([...gateway.mounts.keys()][0] ?? {}).connections.countOfUser('ann')).toBe(2)
  })

  it('get 429 before the 101 where each of their sessions has a connection on the way already', async () => {
    const { open, refused, gateway } = await serve({ maxConnectionsPerUser: 1 })
    const mount = gateway.paths.get('/live')
    const first = await enter(await open('192.0.2.1', 'ann'), 'a', 'ann')
    await first.next(17)
    const second = await open('192.0.2.1', 'ann')
    expect(mount?.expected.of('ann')).toBe(1)
    expect(await refused('192.0.2.2', 'ann')).toEqual([429, 'TOO_MANY_CONNECTIONS'])
    await open('192.0.2.2', 'bob')
    second.abort()
    await eventually(() => expect(mount?.expected.of('ann')).toBe(0))
    const third = await enter(await open('192.0.2.1', 'ann'), 'a', 'ann')
    await third.next(17)
    expect([mount?.expected.of('ann'), mount?.expected.size]).toEqual([0, 1])
  })
})

describe('upgrades under way', () => {
  it('have a bound: one more gets 503 at once, whoever it is, and is told to the onRefuse hooks', async () => {
    const told: unknown[] = []
    const headers = { authorization: 'Bearer ann' }
    const { url, asked, release, gateway, connect, lines } = await serveSlowly({
      maxUpgrades: 2,
      after: (app) => {
        app.ackordGateway.addHook('onRefuse', ({ ip, status, code }) => void told.push([ip, status, code]))
      },
    })
    const opening = [connect({ headers }), connect({ headers })]
    await asked(2)
    const before = lines.length
    const { status, headers: answered, body } = await refused(url, { headers })
    expect([status, answered['content-type']]).toEqual([503, 'application/json; charset=utf-8'])
    expect(JSON.parse(body)).toEqual({
      statusCode: 503,
      code: 'OVERLOADED',
      message: 'too many are coming in at once',
      retryAfter: Number(answered['retry-after']),
    })
    // Whose it is behind a proxy says only Fastify, which did not spend anything on it.
    expect(told).toEqual([[undefined, 503, 'OVERLOADED']])
    expect(lines.slice(before).filter(({ msg }) => msg === 'incoming request')).toEqual([])
    release()
    await Promise.all(opening)
    expect(gateway.upgrades.size).toBe(0)
    await connect({ headers })
  })

  it('wait for their authentication in turn, and get 503 after half of the handshake time', async () => {
    const clock = createClock()
    const headers = { authorization: 'Bearer ann' }
    const { url, asked, gateway, connect, release } = await serveSlowly({ maxAuthentications: 1, clock })
    const first = connect({ headers })
    await asked(1)
    const second = refused(url, { headers })
    await eventually(() => expect(gateway.caps.authentications.waiting).toBe(1))
    clock.advance(2500)
    const { status, body } = await second
    expect([status, JSON.parse(body)]).toEqual([503, expect.objectContaining({ code: 'OVERLOADED' })])
    await asked(1)
    release()
    await first
  })

  it('whose peer has gone meanwhile are not authenticated any more', async () => {
    const headers = { authorization: 'Bearer ann' }
    const { url, asked, gateway, connect, release } = await serveSlowly({ maxAuthentications: 1 })
    const first = connect({ headers })
    await asked(1)
    const gone = await connectBytes(url)
    gone.write(upgradeRequest(url, headers))
    await eventually(() => expect(gateway.caps.authentications.waiting).toBe(1))
    gone.destroy()
    await eventually(() => expect(gateway.upgrades.size).toBe(1))
    release()
    await first
    await asked(1)
    expect(gateway.caps.authentications.waiting).toBe(0)
  })
})

describe('a server whose event loop is late', () => {
  it('refuses who is new with 503 and Retry-After, and keeps who is there', async () => {
    const clock = createClock()
    let lag = 0
    const { url, open, refused: refusedFrom, counts } = await serve({ clock, eventLoopLag: () => lag })
    const client = await open('192.0.2.1')
    client.send(hello('s', 'ann'))
    await client.next(17)
    // The first look says nothing yet, the second does.
    lag = 301
    clock.advance(250)
    await open('192.0.2.2', 'bob')
    clock.advance(250)
    expect(await refusedFrom('192.0.2.2', 'bob')).toEqual([503, 'OVERLOADED'])
    const asked = await fetch(url.replace('ws:', 'http:'))
    expect([asked.status, await asked.json()]).toEqual([503, expect.objectContaining({ code: 'OVERLOADED' })])
    client.send([2, 1, 'echo', { text: 'still here' }])
    await client.next(18)
    lag = 0
    clock.advance(250)
    await open('192.0.2.2', 'bob')
    expect(counts()[0]).toBe(3)
  })

  it('tells those that come at once to come back at different times', async () => {
    const clock = createClock()
    const { url } = await serve({ clock, eventLoopLag: () => 1000 })
    await connect(url).then((client) => client.abort())
    clock.advance(250)
    await connect(url).then((client) => client.abort())
    clock.advance(250)
    const seconds = new Set<number>()
    for (let i = 0; i < 10; i++) seconds.add(Number((await refused(url)).headers['retry-after']))
    expect([...seconds].sort()).toEqual([1, 2, 3, 4, 5])
  })
})

describe('a refusal by a limit', () => {
  const limits: ReadonlyArray<readonly [code: string, status: number, options: AckordOptions]> = [
    ['FULL', 503, { maxConnections: 1 }],
    ['TOO_MANY_CONNECTIONS', 429, { maxConnectionsPerAddress: 1 }],
    ['OVERLOADED', 503, { maxUnauthenticated: 1 }],
  ]

  for (const [code, status, options] of limits) {
    it(`is, by its bytes, ${status} ${code} in JSON with Retry-After, and its socket is destroyed`, async () => {
      const { app, url, counts } = await serve(options)
      await connect(url)
      const socket = await connectBytes(url)
      socket.write(upgradeRequest(url))
      const [head = '', body = ''] = (await socket.ended()).toString().split('\r\n\r\n')
      const headers = head.toLowerCase()
      expect(head).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `))
      for (const header of ['content-type: application/json', 'connection: close', 'cache-control: no-store'])
        expect(headers).toContain(`\r\n${header}`)
      const { retryAfter, ...answer } = JSON.parse(body)
      expect(answer).toEqual({ statusCode: status, code, message: expect.any(String) })
      expect(headers).toContain(`\r\nretry-after: ${retryAfter}`)
      await eventually(async () => expect(await socketsOf(app)).toBe(1))
      expect(counts()[0]).toBe(1)
    })
  }
})
