import { describe, expect, it, onTestFinished } from 'vitest'
import { type Contract, contractFromJson, contractToJson } from '../../contract/index.js'
import { createPublisher, type PublisherOptions } from '../../plugins/publisher/index.js'
import { contract, open, startRedisNode, textOf } from '../inbox/support.js'
import { describeWithRedis, startRedis, type TestRedis } from '../support/redis.js'
import { until } from '../support/until.js'

async function publisherOn(redis: TestRedis, options: Partial<PublisherOptions> = {}) {
  const client = redis.client()
  onTestFinished(() => client.disconnect())
  const publisher = await createPublisher(contract, { path: '/v1/live', redis: client, ...options })
  onTestFinished(() => publisher.close())
  return publisher
}

describeWithRedis('a publisher', () => {
  it('publishes into rooms: what is kept, with its position, and what is not', async () => {
    const redis = await startRedis()
    const node = await startRedisNode(redis.port)
    const client = await node.enter('ada')
    client.send([6, 1, 'channel', { id: 'a' }])
    await client.next(22)
    const channel = (await publisherOn(redis)).room.channel({ id: 'a' })
    expect(channel.key).toBe(node.live.room.channel({ id: 'a' }).key)
    expect(await channel.publish('typing', { text: 'v' })).toBeUndefined()
    expect(await channel.publish('topic', { text: 'l' })).toBeUndefined()
    const position = await channel.publish('posted', { text: 'r' }, { id: 'a' })
    expect(await channel.publish('posted', { text: 'r' }, { id: 'a' })).toEqual(position)
    expect((await client.next(23)).slice(2, 4)).toEqual(['typing', { text: 'v' }])
    expect((await client.next(23)).slice(2, 4)).toEqual(['topic', { text: 'l' }])
    expect((await client.next(23)).slice(2)).toEqual(['posted', { text: 'r' }, 1, position?.tag])
    expect(await node.live.room.channel({ id: 'a' }).publish('posted', { text: 's' })).toMatchObject({
      epoch: position?.epoch,
      offset: 2,
    })
  })

  it('sends to a user who is away, to one who is here, and to everybody', async () => {
    const redis = await startRedis()
    const node = await startRedisNode(redis.port)
    await until(() => node.gateway.degraded.is === false)
    const publisher = await publisherOn(redis)
    expect(await publisher.user('ada').send('mention', { text: 'a' }, { id: '1' })).toMatchObject({
      offset: 1,
    })
    expect(await publisher.user('ada').send('mention', { text: 'a' }, { id: '1' })).toMatchObject({
      offset: 1,
    })
    const [ada, bob] = [await node.enter('ada'), await node.enter('bob')]
    expect(await open(ada, 1, undefined, 9)).toMatchObject({ texts: ['a@1'] })
    await publisher.user('ada').send('mention', { text: 'b' })
    expect(textOf(await ada.next(23))).toBe('b@2')
    expect(await publisher.user('ada').send('notice', { text: 'n' })).toBeUndefined()
    expect(await publisher.all.send('notice', { text: 'all' })).toBeUndefined()
    expect(await ada.next(21)).toEqual([21, 'notice', { text: 'n' }])
    for (const client of [ada, bob]) expect(await client.next(21)).toEqual([21, 'notice', { text: 'all' }])
  })

  it('refuses what the server refuses, by the same codes', async () => {
    const redis = await startRedis()
    const publisher = await publisherOn(redis)
    const wrong = JSON.parse('{"text":1}')
    const code = (code: string) => expect.objectContaining({ code })
    const channel = publisher.room.channel({ id: 'a' })
    await expect(channel.publish('posted', wrong)).rejects.toEqual(code('ACKORD_INVALID_PAYLOAD'))
    await expect(channel.publish(JSON.parse('"nope"'), wrong)).rejects.toEqual(code('ACKORD_UNKNOWN_NAME'))
    expect(() => publisher.room.channel(JSON.parse('{"id":1}'))).toThrow(code('ACKORD_INVALID_PARAMS'))
    await expect(publisher.user('').send('mention', { text: '' })).rejects.toEqual(
      code('ACKORD_INVALID_PARAMS'),
    )
    await expect(publisher.user('a').send('notice', wrong)).rejects.toEqual(code('ACKORD_INVALID_PAYLOAD'))
    await expect(publisher.user('a').send(JSON.parse('"no"'), wrong)).rejects.toEqual(
      code('ACKORD_UNKNOWN_NAME'),
    )
    await expect(publisher.all.send(JSON.parse('"mention"'), { text: '' })).rejects.toEqual(
      code('ACKORD_WRONG_DELIVERY'),
    )
    const text = 'x'.repeat(1_100_000)
    await expect(channel.publish('posted', { text })).rejects.toEqual(code('ACKORD_INVALID_PAYLOAD'))
    const large = await publisherOn(redis, { maxBuffered: 8_388_608 })
    await expect(large.user('a').send('mention', { text })).rejects.toEqual(code('TOO_LARGE'))
    await expect(large.all.send('notice', { text })).rejects.toEqual(code('TOO_LARGE'))
  })

  it('is of one path and prefix', async () => {
    const redis = await startRedis()
    const node = await startRedisNode(redis.port, { redisPrefix: 'mine' })
    const elsewhere = await publisherOn(redis)
    const astray = await publisherOn(redis, { redisPrefix: 'mine', path: '/live' })
    const right = await publisherOn(redis, { redisPrefix: 'mine' })
    await elsewhere.user('ada').send('mention', { text: 'elsewhere' })
    await astray.user('ada').send('mention', { text: 'astray' })
    await right.user('ada').send('mention', { text: 'right' })
    expect(await open(await node.enter('ada'), 1, undefined, 9)).toMatchObject({ texts: ['right@1'] })
  })

  it('finishes what is under way before it closes, and takes nothing more', async () => {
    const redis = await startRedis()
    const publisher = await publisherOn(redis)
    const sends = Array.from({ length: 50 }, (_, n) =>
      publisher.user('ada').send('mention', { text: `${n}` }),
    )
    await publisher.close()
    expect((await Promise.all(sends)).at(-1)).toMatchObject({ offset: 50 })
    await expect(publisher.user('ada').send('mention', { text: 'x' })).rejects.toMatchObject({
      code: 'CLOSED',
    })
    await expect(publisher.all.send('notice', { text: 'x' })).rejects.toMatchObject({ code: 'CLOSED' })
    await publisher.close()
    const client = await redis.connect()
    await until(
      async () =>
        String(await client.client('LIST'))
          .trim()
          .split('\n').length === 1,
    )
  })

  it('says UNAVAILABLE while Redis is away, drops what is not kept, and goes on when it is back', async () => {
    const redis = await startRedis()
    const said: string[] = []
    const log = {
      info: (message: string) => void said.push(message),
      warn: (_: object, message: string) => void said.push(message),
      error: (_: object, message: string) => void said.push(message),
    }
    const publisher = await publisherOn(redis, { log })
    await redis.kill()
    await expect(publisher.user('ada').send('mention', { text: 'x' })).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      retry: true,
    })
    expect(await publisher.user('ada').send('notice', { text: 'x' })).toBeUndefined()
    expect(await publisher.room.channel({ id: 'a' }).publish('typing', { text: 'x' })).toBeUndefined()
    await redis.start()
    await until(async () => {
      const sent = publisher.user('ada').send('mention', { text: 'x' })
      return sent.then(
        () => true,
        () => false,
      )
    })
    expect(said[0]).toMatch(/Redis is away/)
  })
})

describe('createPublisher', () => {
  const redis = { duplicate: () => expect.unreachable() }
  const made = (options: unknown, of: unknown = contract) =>
    createPublisher(of as Contract, options as PublisherOptions)

  it.each([
    ['no options', undefined],
    ['no path', { redis }],
    ['a path that is none', { redis, path: 'live' }],
    ['a path that ends with a slash', { redis, path: '/live/' }],
    ['no redis', { path: '/live' }],
    ['a redis that is none', { path: '/live', redis: {} }],
    ['a prefix with a brace', { path: '/live', redis, redisPrefix: 'a{' }],
    ['a durability that is none', { path: '/live', redis, durability: { replicated: 0 } }],
    ['a bound beyond its bounds', { path: '/live', redis, maxBuffered: 1 }],
    ['an option that it does not know', { path: '/live', redis, prefix: 'a' }],
  ])('refuses %s before it connects', async (_, options) => {
    await expect(made(options)).rejects.toMatchObject({ code: 'ACKORD_INVALID_OPTION' })
  })

  it('refuses what is no contract', async () => {
    await expect(made({ path: '/live', redis }, {})).rejects.toMatchObject({ code: 'ACKORD_INVALID_OPTION' })
    expect(contractFromJson(contractToJson(contract)).hash).toBe(contract.hash)
  })
})
