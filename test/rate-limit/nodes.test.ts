import { randomUUID } from 'node:crypto'
import { afterEach, expect, it } from 'vitest'
import type { Limit } from '../../plugins/index.js'
import { eventually } from '../gateway/support.js'
import { abortAll, type RawClient } from '../support/raw-client.js'
import { describeWithRedis, startRedis, type TestRedis } from '../support/redis.js'
import { startServer } from '../support/server.js'

afterEach(abortAll)

/** A node whose clients make one call after the other; each gives OK or the code. */
const startNode = async (redis: TestRedis, max = 5, ...more: Limit[]) => {
  const client = await redis.connect()
  const limits = { echo: [{ max, seconds: 3600 }, ...more] }
  const server = await startServer({ redis: client, limits })
  let seq = 0
  return {
    ...server,
    client,
    // Sessions are one's own on all nodes.
    enter: (user: string) => server.enter(user, randomUUID()),
    async call(connection: RawClient): Promise<unknown> {
      const mine = ++seq
      connection.send([2, mine, 'echo', { text: 'hi' }])
      const [type, , code] = await connection.nextWhere((frame) => frame[1] === mine, `answer ${mine}`)
      return type === 18 ? 'OK' : code
    },
    /** What was logged about limits and Redis. */
    outages: () => server.lines.map(({ msg }) => String(msg)).filter((msg) => msg.includes('rate limits')),
  }
}
const AWAY = 'ackord: Redis gives no answer; each node counts rate limits by itself until it does'
const BACK = 'ackord: rate limits are shared again'

describeWithRedis('two nodes with one Redis', () => {
  it('share a limit', async () => {
    const redis = await startRedis()
    const [one, two] = [await startNode(redis), await startNode(redis)]
    const [here, there] = [await one.enter('ann'), await two.enter('ann')]
    const answers: unknown[] = []
    for (let i = 0; i < 3; i++) answers.push(await one.call(here), await two.call(there))
    expect(answers).toEqual(['OK', 'OK', 'OK', 'OK', 'OK', 'RATE_LIMITED'])
    expect(await two.call(await two.enter('ben'))).toBe('OK')
  })

  it('charge no limit for a call that another one refuses', async () => {
    const redis = await startRedis()
    const node = await startNode(redis, 4, { max: 1, seconds: 3600, per: 'connection' })
    const answers: unknown[] = []
    for (let i = 0; i < 5; i++) {
      const ann = await node.enter('ann')
      answers.push(await node.call(ann), await node.call(ann))
    }
    // Four in all for ann, one for each of her connections.
    expect(answers).toEqual([...Array(4).fill(['OK', 'RATE_LIMITED']).flat(), 'RATE_LIMITED', 'RATE_LIMITED'])
  })

  it('do not ask Redis about what it has refused until it would let it in', async () => {
    const redis = await startRedis()
    const node = await startNode(redis, 1)
    const ann = await node.enter('ann')
    expect(await node.call(ann)).toBe('OK')
    expect(await node.call(ann)).toBe('RATE_LIMITED')
    const commands = async () =>
      Number(/evalsha:calls=(\d+)/.exec(await node.client.info('commandstats'))?.[1])
    const before = await commands()
    for (let i = 0; i < 50; i++) expect(await node.call(ann)).toBe('RATE_LIMITED')
    expect(await commands()).toBe(before)
  })

  it('keep limits of their own while Redis is away, say so once, and share again when it is back', async () => {
    const redis = await startRedis()
    const [one, two] = [await startNode(redis, 2), await startNode(redis, 2)]
    const [here, there] = [await one.enter('ann'), await two.enter('ann')]
    expect([await one.call(here), await two.call(there), await one.call(here)]).toEqual([
      'OK',
      'OK',
      'RATE_LIMITED',
    ])

    for (let outage = 1; outage <= 2; outage++) {
      await redis.kill()
      const [mine, yours] = [await one.enter(`user ${outage}`), await two.enter(`user ${outage}`)]
      const alone = []
      for (let i = 0; i < 3; i++) alone.push([await one.call(mine), await two.call(yours)])
      expect(alone).toEqual([
        ['OK', 'OK'],
        ['OK', 'OK'],
        ['RATE_LIMITED', 'RATE_LIMITED'],
      ])
      await redis.start()
      let guest = 0
      await eventually(async () => {
        guest++
        await one.call(await one.enter(`guest ${outage}.${guest}`))
        await two.call(await two.enter(`guest ${outage}.${guest}`))
        expect([one.outages().length, two.outages().length]).toEqual([2 * outage, 2 * outage])
      })
      const [again, other] = [await one.enter(`back ${outage}`), await two.enter(`back ${outage}`)]
      expect([await one.call(again), await two.call(other), await one.call(again)]).toEqual([
        'OK',
        'OK',
        'RATE_LIMITED',
      ])
    }
    expect(one.outages()).toEqual([AWAY, BACK, AWAY, BACK])
  })

  it('answer while Redis is there and silent', async () => {
    const redis = await startRedis()
    const node = await startNode(redis, 2)
    const ann = await node.enter('ann')
    redis.freeze()
    const answers = await Promise.all(Array.from({ length: 20 }, () => node.call(ann)))
    expect(answers.filter((answer) => answer === 'OK')).toHaveLength(2)
    expect(answers.filter((answer) => answer === 'RATE_LIMITED')).toHaveLength(18)
    redis.resume()
    expect(node.outages()).toEqual([AWAY])
  })

  it('start, and limit, before Redis is there', async () => {
    const redis = await startRedis()
    const client = await redis.connect()
    await redis.kill()
    const { enter, lines } = await startServer({ redis: client, limits: { echo: { max: 1, seconds: 3600 } } })
    const ann = await enter('ann')
    for (let i = 1; i <= 2; i++) ann.send([2, i, 'echo', { text: 'hi' }])
    expect((await ann.next(18))[1]).toBe(1)
    expect((await ann.next(19))[2]).toBe('RATE_LIMITED')
    expect(lines.filter(({ msg }) => msg === AWAY)).toHaveLength(1)
  })
})
