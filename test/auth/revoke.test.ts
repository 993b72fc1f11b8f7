import { randomBytes } from 'node:crypto'
import { afterEach, describe, expect, it } from 'vitest'
import { createClock } from '../../client/testing/clock.js'
import type { RevokeOptions, RevokeTarget } from '../../plugins/index.js'
import { eventually } from '../gateway/support.js'
import { abortAll, connect, type RawClient, refused } from '../support/raw-client.js'
import { contract, type Member, type ServerOptions, startServer } from '../support/server.js'
import { enterWithTokens, hello, outcome, settled } from './support.js'

afterEach(abortAll)

/** A server whose tokens are `user:tokenId:end`; `hold` keeps what comes in at that place until `release`. */
async function serve(options: ServerOptions = {}) {
  const clock = createClock()
  const waiting = new Map<string, () => void>()
  const holds = new Set<string>()
  const hold = (place: string): Promise<void> | undefined =>
    holds.has(place) ? new Promise((resolve) => waiting.set(place, resolve)) : undefined
  const denied = new Set<string>()
  const server = await startServer({
    clock,
    heartbeat: 300_000,
    ...options,
    namespace: {
      authenticate: async ({ token }): Promise<Member> => {
        const [id = '', tokenId, end] = token.split(':')
        await hold('authenticate')
        return {
          id,
          role: 'member',
          ...(tokenId && { tokenId }),
          ...(end && { expiresAt: clock.wall() + Number(end) }),
        }
      },
      ...options.namespace,
    },
    after: async (app) => {
      app.ackordGateway.addHook('onConnect', () => hold('connect'))
      app.ackordGateway.addHook('onJoin', async ({ params }) => {
        const { id } = params as { id: string }
        const isDenied = denied.has(id)
        await hold(`join ${id}`)
        if (isDenied) throw new Error(`not in ${id}`)
      })
      await options.after?.(app)
    },
  })
  return Object.assign(server, {
    clock,
    denied,
    holds,
    /** Waits until something is held there, and lets it go. */
    release: async (place: string) => {
      await eventually(() => expect([...waiting.keys()]).toContain(place))
      holds.delete(place)
      waiting.get(place)?.()
    },
    held: (place: string) => eventually(() => expect([...waiting.keys()]).toContain(place)),
  })
}

async function join(client: RawClient, seq: number, id: string): Promise<void> {
  client.send([6, seq, 'channel', { id }])
  await client.next(22)
}

/** A client in rooms a and b that stopped reading when more of a waits than the operating system and the socket take. */
async function serveSlowReader(compression: boolean) {
  const server = await serve({ maxBuffered: 16_777_216, compression })
  const client = await connect(server.url, { deflate: compression })
  expect(client.extensions).toBe(compression ? 'permessage-deflate' : '')
  client.send([1, 's', contract.hash, '1.0.0', [], 'ann'])
  await client.next(17)
  await join(client, 1, 'a')
  await join(client, 2, 'b')
  client.pause()
  const [connection] = server.live.connections()
  const large = randomBytes(250_000).toString('hex')
  for (let i = 0; (connection?.buffered ?? 0) < 4_000_000 && i < 100; i++) {
    await server.live.room.channel({ id: 'a' }).publish('posted', post(`a${i}${large}`))
    await new Promise(setImmediate)
  }
  expect(connection?.buffered).toBeGreaterThan(1_000_000)
  return Object.assign(server, { client })
}

const post = (text: string) => ({ id: text, text })
const kinds = (client: RawClient): unknown[] => client.frames.map(([type]) => type)

describe('revoke', () => {
  const targets: ReadonlyArray<readonly [what: string, target: RevokeTarget, meant: readonly string[]]> = [
    ['a user', { user: 'ann' }, ['ann:t1 s1', 'ann:t2 s2']],
    ['a session', { session: 's2' }, ['ann:t2 s2', 'ben:t2 s2']],
    ['a token', { tokenId: 't2' }, ['ann:t2 s2', 'ben:t2 s2']],
    ['a user who is not there', { user: 'eve' }, []],
  ]
  for (const [what, target, meant] of targets) {
    it(`of ${what} ends their connections with 4508, and no others`, async () => {
      const server = await serve()
      const all = ['ann:t1 s1', 'ann:t2 s2', 'ben:t2 s2', 'ben:t3 s3']
      const clients = new Map<string, RawClient>()
      for (const each of all) {
        const [token = '', session = ''] = each.split(' ')
        clients.set(each, await server.enter(token, session))
      }
      expect(await server.live.revoke(target)).toBe(meant.length)
      for (const [each, client] of clients) {
        if (meant.includes(each))
          expect(await client.closed()).toEqual({ code: 4508, reason: 'authorization was revoked' })
        else await settled(client)
      }
      expect([...server.live.connections()]).toHaveLength(all.length - meant.length)
    })
  }

  it('of nobody in particular, or in no mode there is, is refused', async () => {
    const { live } = await serve()
    const wrong = [
      {},
      { user: undefined },
      { user: '' },
      { user: 'a', session: 'b' },
      { tokenId: 42 },
      { id: 'a' },
    ]
    for (const target of wrong)
      await expect(live.revoke(target as RevokeTarget)).rejects.toMatchObject({
        code: 'ACKORD_INVALID_OPTION',
      })
    const options = { mode: 'kick' } as unknown as RevokeOptions
    await expect(live.revoke({ user: 'ann' }, options)).rejects.toMatchObject({
      code: 'ACKORD_INVALID_OPTION',
    })
  })

  it('while a call runs aborts it, and its answer never leaves', async () => {
    const { enter, probe, live } = await serve()
    const client = await enter('ann')
    client.send([2, 1, 'wait', { name: 'one' }])
    await eventually(() => expect(probe.signals.get('one')?.aborted).toBe(false))
    await live.revoke({ user: 'ann' })
    expect(probe.signals.get('one')?.aborted).toBe(true)
    probe.release('one')
    expect((await client.closed()).code).toBe(4508)
    expect(kinds(client)).toEqual([17])
  })

  it('drops what is queued; kicking does not', async () => {
    const { enter, live } = await serve()
    const sends = async (end: () => unknown): Promise<unknown[]> => {
      const client = await enter('ann')
      await join(client, 1, 'a')
      await Promise.all([
        live.room.channel({ id: 'a' }).publish('posted', post('x')),
        live.user('ann').send('notice', post('y')),
        end(),
      ])
      await client.closed()
      return kinds(client)
    }
    expect(await sends(() => live.revoke({ user: 'ann' }))).toEqual([17, 22])
    const [connection] = [() => [...live.connections()][0]]
    expect(await sends(() => connection()?.disconnect('revoked'))).toEqual([17, 22])
    expect(await sends(() => connection()?.disconnect('kicked'))).toContain(21)
  })

  for (const compression of [false, true]) {
    it(`drops what is queued for a client that reads slowly; compressed: ${compression}`, async () => {
      const { client, live } = await serveSlowReader(compression)
      await live.room.channel({ id: 'a' }).publish('posted', post('a secret'))
      await live.user('ann').send('notice', post('a secret'))
      await new Promise(setImmediate)
      await live.revoke({ user: 'ann' })
      client.resume()
      expect((await client.closed()).code).toBe(4508)
      expect(client.frames.filter(([type]) => type === 21)).toEqual([])
      expect(client.frames.map(([, , , payload]) => payload)).not.toContainEqual(post('a secret'))
    })
  }

  it('also meets who is on their way in: being authenticated, before HELLO, before WELCOME', async () => {
    for (const target of [{ user: 'ann' }, { session: 's' }, { tokenId: 't' }] satisfies RevokeTarget[]) {
      const server = await serve()
      server.holds.add('authenticate')
      const first = await server.connect()
      first.send(hello('ann:t'))
      await server.held('authenticate')
      await server.live.revoke(target)
      await server.release('authenticate')
      const code = (await first.closed()).code
      // A token id stays refused, which is found before anything else is.
      expect([target, code]).toEqual([target, 'tokenId' in target ? 4506 : 4508])

      if ('tokenId' in target) continue
      const second = await server.connect({ headers: { authorization: 'Bearer ann:t' } })
      await server.live.revoke(target)
      second.send(hello())
      expect((await second.closed()).code).toBe(4508)

      server.holds.add('connect')
      const third = await server.connect()
      third.send(hello('ann:t'))
      await server.held('connect')
      expect(await server.live.revoke(target)).toBe(1)
      expect((await third.closed()).code).toBe(4508)
      await server.release('connect')
      expect([first, second, third].flatMap(kinds)).toEqual([])
    }
  })

  it('meets who is on their way in before anything of the application runs, and before an older connection goes', async () => {
    const seen: unknown[] = []
    const namespace = { data: ({ tokenId }: Member) => void seen.push(tokenId) } as ServerOptions['namespace']
    const server = await serve({ ...(namespace && { namespace }) })
    const older = await server.enter('ann:t1', 's')
    const younger = await server.connect({ headers: { authorization: 'Bearer ann:t2' } })
    await server.live.revoke({ tokenId: 't2' })
    younger.send(hello())
    expect((await younger.closed()).code).toBe(4508)
    expect(seen).toEqual(['t1'])
    await settled(older)
  })

  it('lets those in who come afterwards', async () => {
    const server = await serve()
    await server.live.revoke({ user: 'ann' })
    await server.live.revoke({ session: 's' })
    expect(await outcome(server, { inHello: 'ann:t' })).toBe(17)
    expect(await outcome(server, { headers: { authorization: 'Bearer ann:t' } })).toBe(17)
  })

  it('of a token refuses it from then on, until it would have ended', async () => {
    const server = await serve()
    const client = await server.enter('ann:t1:600000')
    await server.live.revoke({ tokenId: 't1' })
    expect((await client.closed()).code).toBe(4508)
    await server.live.revoke({ tokenId: 't2', expiresAt: server.clock.wall() + 5000 })
    const authorization = (id: string) => ({ headers: { authorization: `Bearer ann:${id}:600000` } })
    expect(await refused(server.url, authorization('t1'))).toMatchObject({ status: 401 })
    expect(await outcome(server, authorization('t2'))).toBe(401)
    expect(await outcome(server, { inHello: 'ann:t1:600000' })).toBe(4506)
    expect(await outcome(server, authorization('t3'))).toBe(17)
    server.clock.advance(5000)
    expect(await outcome(server, authorization('t1'))).toBe(401)
    // By then its own `exp` refuses it.
    expect(await outcome(server, authorization('t2'))).toBe(17)
    server.clock.advance(86_400_000)
    expect(await outcome(server, authorization('t1'))).toBe(17)
  })

  it('of a token refuses it as a fresh one, too', async () => {
    const server = await serve()
    const client = await enterWithTokens(server, 'ann:t1')
    await server.live.revoke({ tokenId: 't2' })
    client.send([9, 'ann:t2'])
    expect((await client.closed()).code).toBe(4506)
  })

  it('finds a connection by the token it has now', async () => {
    const server = await serve()
    const client = await enterWithTokens(server, 'ann:t1')
    client.send([9, 'ann:t2'])
    await client.next(25)
    expect(await server.live.revoke({ tokenId: 't1' })).toBe(0)
    expect(await server.live.revoke({ user: 'ann' })).toBe(1)
    expect((await client.closed()).code).toBe(4508)
    expect(await server.live.revoke({ tokenId: 't2' })).toBe(0)
  })
})

describe("revoke with mode 'reauthorize'", () => {
  it('ends the rooms that refuse now with LEFT revoked, and keeps the others', async () => {
    const { enter, live, denied } = await serve()
    const client = await enter('ann')
    await join(client, 1, 'a')
    await join(client, 2, 'b')
    denied.add('a')
    expect(await live.revoke({ user: 'ann' }, { mode: 'reauthorize' })).toBe(1)
    expect(await client.next(27)).toEqual([27, 'channel[["id","a"]]', 'revoked'])
    await live.room.channel({ id: 'a' }).publish('posted', post('secret'))
    await live.room.channel({ id: 'b' }).publish('posted', post('open'))
    expect((await client.next(23))[3]).toEqual(post('open'))
    expect(JSON.stringify(client.frames)).not.toContain('secret')
  })

  it('lets nothing out that was published in the same turn, before or after; an eviction lets out what was before', async () => {
    const { enter, live, denied } = await serve()
    const client = await enter('ann')
    const room = live.room.channel({ id: 'a' })
    const ended = async (end: () => unknown): Promise<unknown[]> => {
      await join(client, client.frames.length + 1, 'a')
      const from = client.frames.length
      await Promise.all([
        room.publish('typing', { user: 'before' }),
        room.publish('posted', post('before')),
        end(),
        room.publish('posted', post('after')),
      ])
      await room.publish('posted', post('later'))
      await client.next(27)
      await settled(client)
      return client.frames.slice(from).map(([type, , event]) => (type === 23 ? event : type))
    }
    expect(await ended(() => room.evict('ann'))).toEqual(['typing', 'posted', 27, 18])
    const revoked = ended(() => {
      denied.add('a')
      return live.revoke({ user: 'ann' }, { mode: 'reauthorize' })
    })
    expect(await revoked).toEqual([27, 18])
    denied.clear()
    expect(await ended(() => room.evict('ann', 'revoked'))).toEqual([27, 18])
  })

  for (const compression of [false, true])
    it(`takes back what is queued for a member that reads slowly, and nothing else; compressed: ${compression}`, async () => {
      const { client, live, denied } = await serveSlowReader(compression)
      await live.room.channel({ id: 'a' }).publish('posted', post('a secret'))
      await live.room.channel({ id: 'b' }).publish('posted', post('open'))
      await new Promise(setImmediate)
      denied.add('a')
      await live.revoke({ user: 'ann' }, { mode: 'reauthorize' })
      client.resume()
      expect(await client.next(27)).toEqual([27, 'channel[["id","a"]]', 'revoked'])
      const texts = client.frames.filter(([type]) => type === 23).map(([, , , payload]) => payload)
      expect(texts).toContainEqual(post('open'))
      expect(texts).not.toContainEqual(post('a secret'))
      await settled(client)
    })

  it('asks again for a join under way', async () => {
    const { enter, live, denied, holds, held, release } = await serve()
    const client = await enter('ann')
    holds.add('join a')
    client.send([6, 1, 'channel', { id: 'a' }])
    await held('join a')
    denied.add('a')
    await live.revoke({ user: 'ann' }, { mode: 'reauthorize' })
    await release('join a')
    expect(await client.next()).toEqual([19, 1, 'FORBIDDEN', null])
  })

  it('keeps a room where `join` cannot be asked, and logs that once', async () => {
    const outage = Object.assign(new Error('the database'), { syscall: 'connect' })
    let failure: Error | undefined
    const { app, enter, live, lines } = await serve({
      after: (app) => {
        app.ackordGateway.addHook('onJoin', () => {
          if (failure !== undefined) throw failure
        })
      },
    })
    const client = await enter('ann')
    await join(client, 1, 'a')
    await join(client, 2, 'b')
    failure = outage
    await live.revoke({ user: 'ann' }, { mode: 'reauthorize' })
    await live.revoke({ user: 'ann' }, { mode: 'reauthorize' })
    expect([...live.connections()][0]?.rooms).toHaveLength(2)
    expect(lines.filter(({ level }) => level === 50)).toHaveLength(1)
    // Two rooms, twice.
    expect(app.ackord.stats().unchecked).toBe(4)
    failure = undefined
    await live.revoke({ user: 'ann' }, { mode: 'reauthorize' })
    expect(lines.filter(({ msg }) => String(msg).includes('answers again'))).toHaveLength(1)
  })

  it('leaves a room alone that only the server joined', async () => {
    const { enter, live, denied } = await serve()
    const client = await enter('ann')
    const [connection] = live.connections()
    if (connection === undefined) throw new Error('nobody is connected')
    await live.room.channel({ id: 'a' }).join(connection)
    denied.add('a')
    await live.revoke({ user: 'ann' }, { mode: 'reauthorize' })
    expect(connection.rooms).toHaveLength(1)
    client.send([6, 1, 'channel', { id: 'a' }])
    expect((await client.next(19))[2]).toBe('FORBIDDEN')
  })

  it('asks for a fresh token at once where nothing else says who the user is, and ends with 4002 where none comes', async () => {
    const server = await serve()
    const { live, clock, enter } = server
    const [asked, silent] = [await enterWithTokens(server, 'ann:t'), await enter('ann')]
    await live.revoke({ user: 'ann' }, { mode: 'reauthorize' })
    clock.advance(1)
    expect(await asked.next(25)).toEqual([25, 'wanted', 29_999])
    asked.send([9, 'ann:t2'])
    expect(await asked.next(25)).toEqual([25, 'accepted', null])
    clock.advance(30_000)
    expect((await silent.closed()).code).toBe(4002)
    await settled(asked)
  })

  it('does not count a token as fresh that was looked at before: it asks for one again', async () => {
    let role = 'admin'
    const waiting: Array<() => void> = []
    const hold = { on: false }
    const server = await serve({
      namespace: {
        authenticate: async ({ token }) => {
          const user = { id: token, role: role as 'member' }
          if (hold.on) await new Promise<void>((resolve) => waiting.push(resolve))
          return user
        },
      },
    })
    const client = await enterWithTokens(server, 'ann')
    hold.on = true
    client.send([9, 'ann'])
    await eventually(() => expect(waiting).toHaveLength(1))
    role = 'guest'
    hold.on = false
    await server.live.revoke({ user: 'ann' }, { mode: 'reauthorize' })
    waiting[0]?.()
    await settled(client)
    expect([...server.live.connections()].map(({ user }) => user)).toEqual([{ id: 'ann', role: 'admin' }])
    server.clock.advance(1)
    expect(await client.next(25)).toEqual([25, 'wanted', 29_999])
    client.send([9, 'ann'])
    expect(await client.next(25)).toEqual([25, 'accepted', null])
    expect([...server.live.connections()].map(({ user }) => user)).toEqual([{ id: 'ann', role: 'guest' }])
  })

  it('of a user on their way in is done before the application sees them', async () => {
    const seen: unknown[] = []
    const server = await serve({
      namespace: {
        data: ({ role }: Member) => void seen.push(role),
        reauthorize: (user: Member) => ({ id: user.id, role: 'guest' }),
      } as unknown as NonNullable<ServerOptions['namespace']>,
    })
    const client = await server.connect({ headers: { authorization: 'Bearer ann:t' } })
    await server.live.revoke({ user: 'ann' }, { mode: 'reauthorize' })
    client.send(hello())
    await client.next(17)
    expect(seen).toEqual(['guest'])
    // It is still found by the token it came with.
    expect(await server.live.revoke({ tokenId: 't' })).toBe(1)
  })

  it('of a user on their way in has them bring a fresh token soon', async () => {
    const server = await serve()
    const client = await server.connect({ headers: { authorization: 'Bearer ann:t' } })
    await server.live.revoke({ user: 'ann' }, { mode: 'reauthorize' })
    client.send(hello())
    await client.next(17)
    server.clock.advance(30_000)
    expect((await client.closed()).code).toBe(4002)
  })
})
