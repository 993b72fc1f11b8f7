import { expect, it, onTestFinished } from 'vitest'
import { connect } from '../support/raw-client.js'
import { describeWithRedis, startRedis, type TestRedis } from '../support/redis.js'
import { until } from '../support/until.js'
import { contract, startApp } from './support/app.js'
import { startNode } from './support/nodes.js'

interface Heard {
  readonly type: string
  readonly id: number
  readonly kind?: string
  readonly body?: unknown
}

/** A node made by hand: alive, and answering what a test says. */
async function handMade(redis: TestRedis, name: string) {
  const [client, subscriber] = [await redis.connect(), await redis.connect()]
  const heard: Heard[] = []
  subscriber.on('message', (_channel, text) => heard.push(JSON.parse(text)))
  await subscriber.subscribe('ackord:{bus}', `ackord:{bus.${name}}`)
  await client.hset('ackord:{nodes}', name, '1 1 {"/v1/live":7}')
  return {
    heard,
    /** The next message of a type. */
    async next(type: string): Promise<Heard> {
      await until(() => heard.some((message) => message.type === type))
      const [found] = heard.splice(
        heard.findIndex((message) => message.type === type),
        1,
      )
      if (found === undefined) throw new Error('it was there')
      return found
    },
    send: (to: string, message: object) =>
      client.publish(`ackord:{bus.${to}}`, JSON.stringify({ from: name, ...message })),
  }
}

describeWithRedis('a node of another version', () => {
  it('is asked and counted; what cannot be read of it is passed over, or a failure of its connection', async () => {
    const redis = await startRedis()
    const node = await startNode(redis.port)
    const other = await handMade(redis, 'other')
    await until(() => node.cluster.nodes().length === 2)
    expect(await node.live.count()).toEqual({ connections: 7, nodes: 2 })
    const answers = node.live.all.askAll('offer', { id: '1' }, { timeout: 60_000 })
    const { id, kind, body } = await other.next('ask')
    expect([kind, body]).toEqual([
      'live.ask',
      { path: '/v1/live', target: ['all'], event: 'offer', payload: '{"id":"1"}', timeout: 60_000 },
    ])
    const answered = (value: unknown) => ({ status: 'answered', value })
    const values = [
      ...['good', 'json', 'wrong', 'later', 'silent'].map((name) => [name, 'session', name]),
      ['short'],
      7,
      null,
      { of: 'good', answer: answered('{"accepted":true}') },
      { of: 'nobody', answer: answered('{"accepted":true}') },
      { of: 'json', answer: answered('{') },
      { of: 'wrong', answer: answered('{"accepted":"yes"}') },
      { of: 'later', answer: { status: 'postponed', code: 'LATER' } },
      { of: 'good', answer: answered('{"accepted":false}') },
    ]
    await other.send(node.id, { type: 'values', id, at: 0, values })
    await other.send(node.id, { type: 'end', id, at: values.length, lost: 'bored' })
    const seen: unknown[] = []
    for await (const { node: from, member, answer } of answers) {
      expect([from, member?.node, member?.session]).toEqual(['other', 'other', 'session'])
      seen.push([member?.user, answer])
    }
    expect(seen).toEqual([
      ['good', { status: 'answered', value: { accepted: true } }],
      ['json', { status: 'failed', code: 'INVALID' }],
      ['wrong', { status: 'failed', code: 'INVALID' }],
      ['later', { status: 'failed', code: 'LATER' }],
      ['silent', { status: 'failed', code: 'FAILED' }],
    ])
  })

  it('is one line without a member where it is lost before it says whom it asks', async () => {
    const redis = await startRedis()
    const node = await startNode(redis.port)
    const other = await handMade(redis, 'other')
    await until(() => node.cluster.nodes().length === 2)
    const answer = node.live.user('ann').ask('offer', { id: '1' }, { timeout: 60_000 })
    await other.next('ask')
    await other.send(node.id, { type: 'tell', kind: 'cluster.bye', body: null })
    expect(await answer).toEqual({ status: 'nodeLost' })
    expect(await node.live.count()).toEqual({ connections: 0, nodes: 1 })
  })

  it('may ask for what is not here: it has no answer, and nothing is harmed', async () => {
    const redis = await startRedis()
    const node = await startNode(redis.port)
    const other = await handMade(redis, 'other')
    const ask = { path: '/v1/live', target: ['all'], event: 'offer', payload: '{"id":"1"}', timeout: 1000 }
    const bodies: Array<readonly [kind: string, body: unknown]> = [
      ['live.ask', null],
      ['live.ask', { ...ask, path: '/elsewhere' }],
      ['live.ask', { ...ask, target: ['moon', 'x'] }],
      ['live.ask', { ...ask, target: 'all' }],
      ['live.ask', { ...ask, event: 'later' }],
      ['live.ask', { ...ask, event: 'notice' }],
      ['live.ask', { ...ask, event: '__proto__' }],
      ['live.ask', { ...ask, payload: { id: '1' } }],
      ['live.ask', ask],
      ['live.members', { path: '/v1/live' }],
      ['live.members', { path: '__proto__', key: 'x' }],
      ['live.evict', { path: '/v1/live', key: 'x', who: ['all', 'x'], why: 'evicted' }],
      ['live.evict', { path: '/v1/live', key: 'x', who: ['user'], why: 'evicted' }],
      ['live.later', {}],
    ]
    for (const [i, [kind, body]] of bodies.entries()) {
      await other.send(node.id, { type: 'ask', id: i, kind, ms: 1000, body })
      const end = await other.next('end')
      expect([end.id, Reflect.get(end, 'lost'), kind]).toEqual([i, undefined, kind])
    }
    expect(other.heard.filter(({ type }) => type === 'values')).toEqual([
      { type: 'values', from: node.id, id: 8, at: 0, values: [null] },
    ])
    expect(node.lines.filter(({ level }) => Number(level) >= 40)).toEqual([])
  })
})

describeWithRedis('between nodes', () => {
  it('a room names 10,000 members, and no more are sent', async () => {
    const redis = await startRedis()
    const node = await startNode(redis.port)
    const other = await handMade(redis, 'other')
    await until(() => node.cluster.nodes().length === 2)
    const members = node.live.room.channel({ id: 'a' }).members()
    const { id } = await other.next('ask')
    for (let at = 0; at <= 10_000; at += 1000) {
      const values = Array.from({ length: 1000 }, (_, i) => [`c${at + i}`, 's', 'u'])
      await other.send(node.id, { type: 'values', id, at, values })
    }
    expect((await members).at(-1)).toEqual({ connection: 'c9999', session: 's', user: 'u', node: 'other' })
    expect(await members).toHaveLength(10_000)
    expect(await other.next('cancel')).toMatchObject({ id })
  })

  it('an answer of more than 500,000 bytes is TOO_LARGE, one that cannot be sent on INVALID, and its connection goes on', async () => {
    const redis = await startRedis()
    const [a, b] = [await startApp(redis.port), await startApp(redis.port)]
    onTestFinished(async () => void (await Promise.all([a.app.close(), b.app.close()])))
    await until(() => [a, b].every(({ cluster }) => cluster.nodes().length === 2))
    const ben = await connect(b.url)
    ben.send([1, 'ben', contract.hash, '1.0.0', [], 'ben'])
    await ben.next(17)
    const ask = async (bytes: number, more?: unknown) => {
      const answer = a.live.user('ben').ask('offer', { id: '1', picture: new Uint8Array() })
      const [, , , number] = await ben.next(21)
      const picture = Buffer.alloc(bytes, 7).toString('base64')
      ben.send([5, number as number, { accepted: true, picture, more }])
      return answer
    }
    expect(await ask(375_000)).toEqual({ status: 'failed', code: 'TOO_LARGE' })
    const nested = Array.from({ length: 60 }).reduce((inner) => [inner], 1)
    expect(await ask(1, nested)).toEqual({ status: 'failed', code: 'INVALID' })
    expect(await ask(374_900)).toMatchObject({ status: 'answered', value: { accepted: true } })
  })
})
