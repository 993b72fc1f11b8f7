import { afterEach, expect, it } from 'vitest'
import { abortAll } from '../support/raw-client.js'
import { describeWithRedis, startRedis } from '../support/redis.js'
import { startServer } from '../support/server.js'

afterEach(abortAll)

const STATE = 29

describeWithRedis('STATE', () => {
  it('tells those who are there when Redis goes and when it is back, and those who come while it is away', async () => {
    const redis = await startRedis()
    const { enter, app } = await startServer({ redis: redis.client() })
    const ann = await enter('ann')
    await redis.kill()
    expect(await ann.next(STATE)).toEqual([STATE, 'degraded'])
    const ben = await enter('ben')
    expect(await ben.next(STATE)).toEqual([STATE, 'degraded'])
    expect(app.ackordGateway.gateway.degraded.is).toBe(true)
    await redis.start()
    for (const client of [ann, ben]) expect(await client.next(STATE)).toEqual([STATE, 'restored'])
    const cleo = await enter('cleo')
    // A call behind WELCOME: had there been a STATE, it would have come before the answer.
    cleo.send([2, 1, 'echo', { text: 'hi' }])
    expect((await cleo.nextWhere((frame) => frame[0] !== 17, 'what comes first'))[0]).toBe(18)
  })

  it('is degraded from the start where Redis is away then', async () => {
    const redis = await startRedis()
    await redis.kill()
    const { enter } = await startServer({ redis: redis.client() })
    const ann = await enter('ann')
    expect(await ann.next(STATE)).toEqual([STATE, 'degraded'])
  })
})
