import { Redis } from 'ioredis'
import { afterEach, expect, it, onTestFinished } from 'vitest'
import { serverClock } from '../../contract/server-clock.js'
import type { Revocation } from '../../plugins/auth/revocation.js'
import { RevocationLog } from '../../plugins/auth/revocation-log.js'
import { type ServerNode, startNode } from '../cluster/support/nodes.js'
import { quietLog } from '../rate-limit/support.js'
import { abortAll } from '../support/raw-client.js'
import { describeWithRedis, startRedis, type TestRedis } from '../support/redis.js'
import { startProxy } from '../support/tcp-proxy.js'
import { until } from '../support/until.js'
import { beginRound, outcome, settled } from './support.js'

afterEach(abortAll)

const KEY = 'ackord:{/v1/live ann}:sessions'

/** A node whose connections to Redis have a name. */
async function startNamed(redis: TestRedis, connectionName: string): Promise<ServerNode> {
  const client = new Redis(redis.port, '127.0.0.1', { lazyConnect: true, connectionName })
  client.on('error', () => {})
  onTestFinished(() => client.disconnect())
  return startNode(0, { redis: client })
}

/** From now on a node hears nothing, and goes on to send. */
async function deafen(redis: TestRedis, name: string): Promise<void> {
  const admin = await redis.connect()
  await admin.config('SET', 'maxclients', 1)
  const lines = String(await admin.client('LIST', 'TYPE', 'PUBSUB')).split('\n')
  const id = lines.find((line) => line.includes(` name=${name} `))?.match(/^id=(\d+)/)?.[1]
  await admin.client('KILL', 'ID', Number(id))
}

describeWithRedis('a session that moves to a node', () => {
  it('has one connection, though that node hears nothing from the one that had it', async () => {
    const redis = await startRedis()
    const [a, b] = [await startNamed(redis, 'a'), await startNamed(redis, 'b')]
    await until(() => [a, b].every(({ cluster }) => cluster.nodes().length === 2))
    const older = await a.enter('ann', 's')
    await deafen(redis, 'b')
    await until(() => b.gateway.degraded.is)
    const younger = await b.enter('ann', 's')
    expect((await older.closed()).code).toBe(4505)
    await settled(younger)
  })

  it('has one connection, though that node knows nothing of the one that had it', async () => {
    const redis = await startRedis()
    const [a, b] = [await startNamed(redis, 'a'), await startNamed(redis, 'b')]
    await beginRound(redis, a, 'ben')
    const older = await a.enter('ann', 's')
    await until(() => b.cluster.nodes().length === 2)
    // As after a silence of 15 s.
    const bye = JSON.stringify({ type: 'tell', kind: 'cluster.bye', from: a.id, body: null })
    await redis.command('publish', 'ackord:{bus}', bye)
    await until(() => b.cluster.nodes().length === 1)
    const younger = await b.enter('ann', 's')
    expect((await older.closed()).code).toBe(4505)
    await settled(younger)
  })
})

describeWithRedis('a claim whose reply is lost', () => {
  it('ends the older connection all the same, once the node hears again', async () => {
    const redis = await startRedis()
    const a = await startNamed(redis, 'a')
    const proxy = await startProxy(redis.port)
    const b = await startNode(proxy.port)
    await until(() => [a, b].every(({ cluster }) => cluster.nodes().length === 2))
    await beginRound(redis, a, 'ben')
    const older = await a.enter('ann', 's')
    proxy.silence('down')
    const younger = await b.enter('ann', 's')
    proxy.heal()
    proxy.cut()
    expect((await older.closed()).code).toBe(4505)
    await settled(younger)
  })
})

describeWithRedis('the place of a session', () => {
  it('that Redis had no memory for is written when it has', async () => {
    const redis = await startRedis()
    const [a, b] = [await startNamed(redis, 'a'), await startNamed(redis, 'b')]
    await until(() => [a, b].every(({ cluster }) => cluster.nodes().length === 2))
    const admin = await redis.connect()
    const other = await beginRound(redis, a, 'ben')
    await admin.config('SET', 'maxmemory', 1)
    const ann = await a.enter('ann', 's')
    expect(await admin.exists(KEY)).toBe(0)
    await admin.config('SET', 'maxmemory', 0)
    await until(async () => (await admin.hget(KEY, 's'))?.startsWith(`${a.id} `))
    await Promise.all([other, ann].map(settled))
  })
})

describeWithRedis('a node that starts', () => {
  it('takes back no ticket that was made long behind the revocation it reads', async () => {
    const redis = await startRedis()
    const a = await startNamed(redis, 'a')
    const admin = await redis.connect()
    const hourAgo = Date.now() - 3_600_000
    const old = JSON.stringify(['silent', 'user', 'ann', 'close'])
    await admin.xadd('ackord:{/v1/live}:revocations', `${hourAgo}-0`, 'r', old, 'u', hourAgo + 86_400_000)
    await until(() => outcome(a, { inHello: 'ann' }).then((code) => code === 17))
    const response = await fetch(`${a.url.replace('ws', 'http')}/ticket`, {
      method: 'POST',
      headers: { authorization: 'Bearer ann' },
    })
    const { ticket } = (await response.json()) as { readonly ticket: string }
    const late = await startNamed(redis, 'late')
    expect(await outcome(late, { inHello: ticket })).toBe(17)
  })
})

it('a list of revocations is read again when Redis is back, though a look was under way', async () => {
  const asked: unknown[] = []
  const answers: Array<(reply: readonly string[]) => void> = []
  const listeners: Array<(state: 'up' | 'down') => void> = []
  const applied: string[] = []
  const hub = {
    prefix: 'p',
    canRun: true,
    onHealth: (listener: (state: 'up' | 'down') => void) => {
      listeners.push(listener)
      return () => {}
    },
    run: (_script: unknown, _keys: readonly string[], [cursor]: readonly unknown[]) => {
      asked.push(cursor)
      return new Promise<readonly string[]>((resolve) => answers.push(resolve))
    },
  }
  const apply = ({ id }: Revocation): number => applied.push(id)
  const log = new RevocationLog({
    hub,
    clock: serverClock,
    log: quietLog().log,
    node: 'n',
    path: '/p',
    apply,
  })
  onTestFinished(() => log.stop())
  const entry = (id: string) => JSON.stringify(['other', 'user', id, 'close'])
  const started = log.start()
  await until(() => answers.length === 1)
  answers[0]?.(['1000000', '1000000-0', '1000000-0', entry('ann')])
  await started
  const look = log.readTo('1000001-0')
  await until(() => answers.length === 2)
  // The server that took over has one from before.
  for (const listener of listeners) listener('up')
  answers[1]?.(['1000001', '1000001-0', '1000001-0', entry('ben')])
  await look
  await until(() => answers.length === 3)
  expect(asked).toEqual(['0-0', '1000000-0', '940001-0'])
})
