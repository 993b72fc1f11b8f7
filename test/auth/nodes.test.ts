import { afterEach, expect, it, onTestFinished } from 'vitest'
import { serverClock } from '../../contract/server-clock.js'
import { revocationOf } from '../../plugins/auth/revocation.js'
import { RevocationLog } from '../../plugins/auth/revocation-log.js'
import { ClusterError, type RevokeTarget } from '../../plugins/index.js'
import { redisOf, script } from '../../plugins/redis/index.js'
import { type ServerNode, startNode, startNodes } from '../cluster/support/nodes.js'
import { quietLog } from '../rate-limit/support.js'
import { abortAll } from '../support/raw-client.js'
import { describeWithRedis, openHub, startRedis, type TestRedis } from '../support/redis.js'
import type { Member, ServerOptions } from '../support/server.js'
import { startProxy } from '../support/tcp-proxy.js'
import { until } from '../support/until.js'
import { outcome, settled } from './support.js'

afterEach(abortAll)

const KEY = 'ackord:{/v1/live}:revocations'

/** Tokens are `user:tokenId`. */
const authenticate = ({ token }: { readonly token: string }): Member => {
  const [id = '', tokenId] = token.split(':')
  return { id, role: 'member', ...(tokenId && { tokenId }) }
}

async function two(options: ServerOptions = {}) {
  const { redis, nodes } = await startNodes(2, { namespace: { authenticate }, ...options })
  const [a, b] = nodes
  if (a === undefined || b === undefined) throw new Error('two were started')
  return { redis, a, b }
}

/** A node that somebody else's hands may cut off from Redis. */
async function startRemote(redis: TestRedis) {
  const proxy = await startProxy(redis.port)
  const node = await startNode(proxy.port, { namespace: { authenticate } })
  return { proxy, node }
}

/** `authenticate` that waits until it is let go. */
function heldAuthenticate() {
  let release = (): void => {}
  const held = new Promise<void>((resolve) => {
    release = resolve
  })
  const state = { isHeld: false, release: () => release() }
  const namespace = {
    authenticate: async (credentials: { readonly token: string }): Promise<Member> => {
      state.isHeld = true
      await held
      return authenticate(credentials)
    },
  }
  return { state, namespace }
}

/** What a node that says nothing to the others has written down. */
async function silentLog(redis: TestRedis, node = 'silent') {
  const hub = await openHub(await redis.connect())
  return new RevocationLog({
    hub,
    node,
    clock: serverClock,
    log: quietLog().log,
    path: '/v1/live',
    apply: () => 0,
  })
}

const ticketOf = async (node: ServerNode, token: string): Promise<string> => {
  const response = await fetch(`${node.url.replace('ws', 'http')}/ticket`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}` },
  })
  const { ticket } = (await response.json()) as { readonly ticket?: string }
  return ticket ?? String(response.status)
}

describeWithRedis('revoke', () => {
  const targets: ReadonlyArray<readonly [RevokeTarget, readonly string[]]> = [
    [{ user: 'ann' }, ['a ann:t1 s1', 'b ann:t2 s2']],
    [{ session: 's2' }, ['b ann:t2 s2']],
    [{ tokenId: 't2' }, ['b ann:t2 s2', 'a ben:t2 s3']],
    [{ user: 'eve' }, []],
  ]
  for (const [target, meant] of targets) {
    it(`of ${JSON.stringify(target)} ends their connections on all nodes, and no others`, async () => {
      const { a, b } = await two()
      const clients = new Map<string, Awaited<ReturnType<typeof a.enter>>>()
      for (const each of ['a ann:t1 s1', 'b ann:t2 s2', 'a ben:t2 s3', 'b ben:t3 s4']) {
        const [at, token = '', session] = each.split(' ')
        clients.set(each, await (at === 'a' ? a : b).enter(token, session))
      }
      expect(await a.live.revoke(target)).toBe(meant.length)
      // Each node has done it by now.
      expect([...a.live.connections(), ...b.live.connections()]).toHaveLength(4 - meant.length)
      for (const [each, client] of clients) {
        if (meant.includes(each)) expect([each, (await client.closed()).code]).toEqual([each, 4508])
        else await settled(client)
      }
    })
  }

  it('does not meet who connects behind it, however often the list is read', async () => {
    const { redis, a, b } = await two()
    await b.enter('ann', 's1')
    expect(await a.live.revoke({ user: 'ann' })).toBe(1)
    const again = await b.enter('ann', 's2')
    // What was read lately is read again when Redis is back.
    const changes: unknown[] = []
    onTestFinished(redisOf(b.gateway)?.onHealth((state) => changes.push(state)) ?? (() => {}))
    await redis.command('client', 'kill', 'type', 'pubsub')
    await until(() => changes.includes('up'))
    const log = await silentLog(redis)
    await log.add(revocationOf({ user: 'eve' }, {}, Date.now()), Date.now() + 60_000)
    const ben = await b.enter('ben')
    await log.add(revocationOf({ user: 'ben' }, {}, Date.now()), Date.now() + 60_000)
    expect((await ben.closed()).code).toBe(4508)
    await settled(again)
  })

  it("by 'reauthorize' asks on all nodes", async () => {
    const asked: string[] = []
    const namespace = {
      authenticate,
      reauthorize: (user: Member) => {
        asked.push(user.id)
        return user.id === 'ann' ? null : user
      },
    }
    const { a, b } = await two({ namespace })
    const [ann, ben] = [await b.enter('ann'), await b.enter('ben')]
    expect(await a.live.revoke({ user: 'ann' }, { mode: 'reauthorize' })).toBe(1)
    expect((await ann.closed()).code).toBe(4508)
    expect(await a.live.revoke({ user: 'ben' }, { mode: 'reauthorize' })).toBe(1)
    await until(() => asked.length === 2)
    await settled(ben)
  })

  it('meets who is on their way in on another node', async () => {
    const { state, namespace } = heldAuthenticate()
    const { a, b } = await two({ namespace })
    const coming = outcome(b, { inHello: 'ann' })
    await until(() => state.isHeld)
    expect(await a.live.revoke({ user: 'ann' })).toBe(0)
    state.release()
    expect(await coming).toBe(4508)
  })

  it('holds for a node that starts later, and for one that was not told', async () => {
    const { redis, a, b } = await two()
    await a.live.revoke({ tokenId: 't' })
    const log = await silentLog(redis)
    const end = Date.now() + 60_000
    await log.add(revocationOf({ tokenId: 'u', expiresAt: end }, {}, Date.now()), end)
    const late = await startNode(redis.port, { namespace: { authenticate } })
    for (const token of ['ann:t', 'ann:u']) expect(await outcome(late, { inHello: token })).toBe(4506)
    expect(await outcome(late, { inHello: 'ann:v' })).toBe(17)
    const seen = () => outcome(b, { headers: { authorization: 'Bearer ben:u' } })
    while ((await seen()) !== 401) await new Promise(setImmediate)
  })

  it('reaches a node that was cut off when it is back, and there who was in before, not who came behind', async () => {
    const redis = await startRedis()
    const a = await startNode(redis.port, { namespace: { authenticate } })
    const { proxy, node: b } = await startRemote(redis)
    await until(() => a.cluster.nodes().length === 2)
    const [before, here] = [await b.enter('ann', 's1'), await a.enter('ann', 's2')]
    proxy.cut()
    proxy.silence()
    await until(() => b.gateway.degraded.is)
    expect(await a.live.revoke({ user: 'ann' })).toBe(1)
    expect((await here.closed()).code).toBe(4508)
    expect(a.lines.map(({ lost }) => lost)).toContain('timeout')
    await settled(before)
    const behind = await b.enter('ann', 's3')
    proxy.heal()
    proxy.cut()
    expect((await before.closed()).code).toBe(4508)
    await settled(behind)
  })

  it('rejects where Redis is away, and is done on this node', async () => {
    const { redis, a, b } = await two()
    const [here, there] = [await a.enter('ann', 's1'), await b.enter('ann', 's2')]
    await redis.kill()
    const done = a.live.revoke({ user: 'ann' })
    expect([...a.live.connections()]).toEqual([])
    await expect(done).rejects.toThrow(ClusterError)
    await expect(done).rejects.toThrow('revoked on this node; Redis could not be told')
    await expect(a.live.revoke({ tokenId: 't' })).rejects.toMatchObject({ code: 'UNAVAILABLE', retry: true })
    expect((await here.closed()).code).toBe(4508)
    expect(await outcome(a, { inHello: 'ben:t' })).toBe(4506)
    await settled(there)
    await redis.start()
    const isDone = () =>
      a.live.revoke({ user: 'ann' }).then(
        () => true,
        () => false,
      )
    await until(isDone)
    expect((await there.closed()).code).toBe(4508)
  })

  it('goes on in a Redis that has lost everything, and whose clock is behind', async () => {
    const { redis, a, b } = await two()
    await a.live.revoke({ user: 'eve' })
    const client = await redis.connect()
    await client.flushall()
    await client.xadd(
      KEY,
      '5-1',
      'r',
      JSON.stringify(['silent', 'token', 't', 'close', Date.now() + 60_000]),
      'u',
      9e15,
    )
    while ((await outcome(b, { headers: { authorization: 'Bearer ann:t' } })) !== 401)
      await new Promise(setImmediate)
    const ann = await b.enter('ann')
    expect(await a.live.revoke({ user: 'ann' })).toBe(1)
    expect((await ann.closed()).code).toBe(4508)
  })

  it('keeps what counts, and about 10,000 at the most', async () => {
    const redis = await startRedis()
    const [hub, client] = [await openHub(await redis.connect()), await redis.connect()]
    const add = (name: string, until: number, most = 10_000) =>
      hub.run(script('revocation-add'), ['k'], [name, until, most])
    const now = Date.now()
    await add('ended', now - 1)
    await add('counts', now + 50_000)
    await add('ends', now + 10_000)
    const names = (await client.xrange('k', '-', '+')).map(([, fields]) => fields[1])
    expect(names).toEqual(['counts', 'ends'])
    // Until the last of them ends.
    const left = await client.pttl('k')
    expect(left > 40_000 && left <= 50_000).toBe(true)
    for (let i = 0; i < 500; i++) await add(`${i}`, now + 1000, 100)
    expect(await client.xlen('k')).toBeLessThan(300)
  })

  it('ignores what it cannot read', async () => {
    const { redis, a, b } = await two()
    const client = await redis.connect()
    for (const text of [
      '',
      '{',
      '[]',
      '7',
      '["x","nobody","ann","close"]',
      '["x","user",7,"close"]',
      '["x","user","ann","burn"]',
    ])
      await client.xadd(KEY, '*', 'r', text, 'u', 9e15)
    const ann = await b.enter('ann')
    expect(await a.live.revoke({ user: 'ben' })).toBe(0)
    await settled(ann)
  })
})

describeWithRedis('a ticket', () => {
  it('is good on every node, once', async () => {
    const { a, b } = await two()
    const ticket = await ticketOf(a, 'ann:t')
    expect(await outcome(b, { headers: { authorization: `Bearer ${ticket}` } })).toBe(17)
    expect([...b.live.connections()].map(({ user }) => user)).toEqual([
      { id: 'ann', role: 'member', tokenId: 't' },
    ])
    for (const node of [a, b]) expect(await outcome(node, { inHello: ticket })).toBe(4506)
  })

  it('is taken back by a revocation on any node', async () => {
    const { a, b } = await two()
    for (const target of [{ user: 'ann' }, { tokenId: 't' }]) {
      const ticket = await ticketOf(a, 'ann:t')
      await b.live.revoke(target, { mode: 'reauthorize' })
      expect(await outcome(a, { inHello: ticket })).toBe(4506)
    }
  })

  it('is not made where another node revoked while it was being made', async () => {
    const { state, namespace } = heldAuthenticate()
    const { a, b } = await two({ namespace })
    const ticket = ticketOf(b, 'ann:t')
    await until(() => state.isHeld)
    await a.live.revoke({ user: 'ann' })
    state.release()
    expect(await ticket).toBe('401')
  })

  it('is not given to who was revoked while it was being written down', async () => {
    const asked: string[] = []
    const namespace = {
      authenticate: (credentials: { readonly token: string }): Member => {
        asked.push(credentials.token)
        return authenticate(credentials)
      },
    }
    const { redis, a } = await two({ namespace })
    redis.freeze()
    const ticket = ticketOf(a, 'ann:t')
    await until(() => asked.length === 1)
    for (let i = 0; i < 50; i++) await new Promise(setImmediate)
    const revoked = a.live.revoke({ user: 'ann' })
    redis.resume()
    expect(await ticket).toBe('401')
    await revoked
  })

  it('is neither made nor taken while Redis is away: the client is told to come again', async () => {
    const { redis, a } = await two()
    const ticket = await ticketOf(a, 'ann')
    await redis.kill()
    expect(await ticketOf(a, 'ann')).toBe('503')
    expect(await outcome(a, { headers: { authorization: `Bearer ${ticket}` } })).toBe(503)
    expect(await outcome(a, { inHello: ticket })).toBe(4006)
  })
})
