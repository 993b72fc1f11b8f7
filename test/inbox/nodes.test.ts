import { expect, it } from 'vitest'
import { createNetwork } from '../../client/testing/index.js'
import { describeWithRedis, startRedis } from '../support/redis.js'
import { until } from '../support/until.js'
import { makeClient, open, startRedisNode, textOf } from './support.js'

async function startTwo() {
  const redis = await startRedis()
  const [a, b] = [await startRedisNode(redis.port), await startRedisNode(redis.port)]
  await until(() => [a, b].every(({ cluster }) => cluster.nodes().length === 2))
  return { redis, a, b }
}

describeWithRedis('an inbox on two nodes', () => {
  it('is one: a user who comes back to the other node goes on from where they stood', async () => {
    const { a, b } = await startTwo()
    const first = await a.enter('ada')
    const { position, key } = await open(first, 1)
    await b.live.user('ada').send('mention', { text: 'live' })
    expect(textOf(await first.next(23))).toBe('live@1')
    first.abort()
    await a.live.user('ada').send('mention', { text: 'missed on a' })
    await b.live.user('ada').send('mention', { text: 'missed on b' })
    const second = await b.enter('ada')
    const back = await open(second, 1, position)
    expect(back).toMatchObject({
      key,
      texts: ['live@1', 'missed on a@2', 'missed on b@3'],
      gap: undefined,
    })
    expect(await open(await a.enter('ada'), 1, undefined, 1)).toMatchObject({ texts: ['missed on b@3'] })
    await a.live.user('ada').send('mention', { text: 'live again' })
    expect(textOf(await second.next(23))).toBe('live again@4')
  })

  it('reaches the connections of a user on both nodes, and says where it stands', async () => {
    const { a, b } = await startTwo()
    const clients = [await a.enter('ada'), await b.enter('ada')]
    for (const client of clients) await open(client, 1)
    const sent = await a.live.user('ada').send('mention', { text: 'x' }, { id: 'once' })
    expect(await b.live.user('ada').send('mention', { text: 'x' }, { id: 'once' })).toEqual(sent)
    for (const client of clients) {
      const publication = await client.next(23)
      expect(publication.slice(3)).toEqual([{ text: 'x' }, sent.offset, sent.tag])
      await client.ping()
      expect(client.received.filter(({ frame }) => frame?.[0] === 23)).toHaveLength(1)
    }
  })

  it('says gap where what was missed is not kept any more, and where Redis has forgotten all', async () => {
    const { redis, a, b } = await startTwo()
    const first = await a.live.user('ada').send('mention', { text: '1' })
    for (let n = 2; n <= 103; n++) await a.live.user('ada').send('mention', { text: `${n}` })
    const since = [first.epoch, first.offset, first.tag]
    expect(await open(await b.enter('ada'), 1, since, 1)).toMatchObject({
      gap: 'trimmed',
      texts: ['103@103'],
    })
    const client = await redis.connect()
    await client.flushall()
    expect(await open(await b.enter('ada'), 1, since)).toMatchObject({ gap: 'epoch', texts: [] })
  })

  it('keeps users apart whose ids differ in what UTF-8 cannot say', async () => {
    const { a, b } = await startTwo()
    const ids = ['\ud800', '\udfff', '\ufffd', '}', 'a}b', '\u0000'.repeat(256)]
    for (const id of ids) await a.live.user(id).send('mention', { text: `${ids.indexOf(id)}` })
    for (const id of ids) {
      const { texts } = await open(await b.enter(id), 1, undefined, 9)
      expect(texts).toEqual([`${ids.indexOf(id)}@1`])
    }
  })

  it('is UNAVAILABLE while Redis is away; what is not kept reaches this node', async () => {
    const { redis, a } = await startTwo()
    const client = await a.enter('ada')
    await redis.kill()
    await until(() => a.gateway.degraded.is)
    await expect(a.live.user('ada').send('mention', { text: 'x' })).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      retry: true,
    })
    await a.live.user('ada').send('notice', { text: 'here' })
    expect(await client.next(21)).toEqual([21, 'notice', { text: 'here' }])
  })
})

describeWithRedis('events that are not kept, on two nodes', () => {
  it('reach a user, or everybody, on both, once', async () => {
    const { a, b } = await startTwo()
    const [ada, twin, bob] = [await a.enter('ada'), await b.enter('ada'), await b.enter('bob')]
    await a.live.user('ada').send('notice', { text: 'to ada' })
    await a.live.all.send('notice', { text: 'to all' })
    for (const client of [ada, twin])
      expect(await client.next(21)).toEqual([21, 'notice', { text: 'to ada' }])
    for (const client of [ada, twin, bob]) {
      expect(await client.next(21)).toEqual([21, 'notice', { text: 'to all' }])
      await client.ping()
    }
    expect(
      [ada, twin, bob].map(({ received }) => received.filter(({ frame }) => frame?.[0] === 21).length),
    ).toEqual([2, 2, 1])
  })

  it('are refused where they fit no message between nodes: nobody is told', async () => {
    const redis = await startRedis()
    const a = await startRedisNode(redis.port, { maxBuffered: 4_194_304 })
    const client = await a.enter('ada')
    const text = 'x'.repeat(1_100_000)
    await expect(a.live.user('ada').send('notice', { text })).rejects.toMatchObject({ code: 'TOO_LARGE' })
    await client.ping()
    expect(client.received.filter(({ frame }) => frame?.[0] === 21)).toEqual([])
  })
})

describeWithRedis('a session that moves to the next node', () => {
  it('is told what is not kept on its newest connection only', async () => {
    const redis = await startRedis()
    const [a, b] = [await startRedisNode(redis.port, { grace: 10_000 }), await startRedisNode(redis.port)]
    await until(() => [a, b].every(({ cluster }) => cluster.nodes().length === 2))
    const older = await a.enter('ada', { session: 'moving' })
    const closed = a.app.close()
    await older.next(28)
    await a.live.user('ada').send('notice', { text: 'before' })
    expect(await older.next(21)).toEqual([21, 'notice', { text: 'before' }])
    const newer = await b.enter('ada', { session: 'moving' })
    await until(() => [...a.gateway.sockets].every(({ isReplaced }) => isReplaced))
    await b.live.user('ada').send('notice', { text: '1' })
    await a.live.user('ada').send('notice', { text: '2' })
    await b.live.all.send('notice', { text: '3' })
    // Between nodes no order is promised.
    const heard = [await newer.next(21), await newer.next(21), await newer.next(21)].map(([, , said]) => said)
    expect(heard).toEqual(expect.arrayContaining([{ text: '1' }, { text: '2' }, { text: '3' }]))
    await older.ping()
    expect(older.received.filter(({ frame }) => frame?.[0] === 21)).toHaveLength(1)
    older.abort()
    await closed
  })

  it('is told on the older one until the newer one is open, or where that is refused', async () => {
    const redis = await startRedis()
    const held: Array<(error?: Error) => void> = []
    const onConnect = () =>
      new Promise<void>((resolve, reject) =>
        held.push((error) => (error === undefined ? resolve() : reject(error))),
      )
    const a = await startRedisNode(redis.port, { grace: 10_000 })
    const b = await startRedisNode(redis.port, {
      before: (app) => app.ackordGateway.addHook('onConnect', onConnect),
    })
    await until(() => [a, b].every(({ cluster }) => cluster.nodes().length === 2))
    const older = await a.enter('ada', { session: 'moving' })
    const closed = a.app.close()
    await older.next(28)
    const refused = b.enter('ada', { session: 'moving' })
    await until(() => held.length === 1)
    await b.live.user('ada').send('notice', { text: 'opening' })
    expect(await older.next(21)).toEqual([21, 'notice', { text: 'opening' }])
    held[0]?.(new Error('refused'))
    await expect(refused).rejects.toThrow()
    await a.live.user('ada').send('notice', { text: 'refused' })
    expect(await older.next(21)).toEqual([21, 'notice', { text: 'refused' }])
    const entering = b.enter('ada', { session: 'moving' })
    await until(() => held.length === 2)
    held[1]?.()
    const newer = await entering
    await until(() => [...a.gateway.sockets].every(({ isReplaced }) => isReplaced))
    await a.live.user('ada').send('notice', { text: 'open' })
    expect(await newer.next(21)).toEqual([21, 'notice', { text: 'open' }])
    await older.ping()
    expect(older.received.filter(({ frame }) => frame?.[0] === 21)).toHaveLength(2)
    older.abort()
    await closed
  })

  it('hears each event of its inbox once', async () => {
    const { a, b } = await startTwo()
    const network = await createNetwork(a.app)
    const client = makeClient('ada', { WebSocket: network.WebSocket })
    const heard: string[] = []
    client.events.on('mention', ({ text }) => heard.push(text))
    client.events.onGap((reason) => void heard.push(reason))
    client.connection.connect()
    await until(() => [...a.live.connections()].some(({ rooms }) => rooms.length === 1))
    let sent = 0
    const send = () => b.live.user('ada').send('mention', { text: `${++sent}` })
    await send()
    await network.moveTo(b.app)
    const closed = a.app.close()
    while ([...b.live.connections()].every(({ rooms }) => rooms.length === 0)) {
      // No more than are kept while nobody hears them.
      if (sent - heard.length < 50) await send()
      else await new Promise(setImmediate)
    }
    await closed
    await send()
    await until(() => heard.includes(`${sent}`))
    expect(heard).toEqual(Array.from({ length: sent }, (_, n) => `${n + 1}`))
    client.close()
  })
})
