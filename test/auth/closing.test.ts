import { afterEach, expect, it } from 'vitest'
import { startNode, startNodes } from '../cluster/support/nodes.js'
import { abortAll } from '../support/raw-client.js'
import { describeWithRedis, startRedis } from '../support/redis.js'
import { contract } from '../support/server.js'
import { until } from '../support/until.js'

afterEach(abortAll)

describeWithRedis('an app that closes', () => {
  it('leaves no place behind, of those who are in and of those on their way', async () => {
    const { redis, nodes } = await startNodes(1)
    const [a] = nodes
    if (a === undefined) throw new Error('one was started')
    for (let i = 0; i < 50; i++) await a.enter(`user${i}`, 's')
    const admin = await redis.connect()
    for (let i = 0; i < 50; i++) (await a.connect()).send([1, 's', contract.hash, '1.0.0', [], `late${i}`])
    await a.app.close()
    expect(await admin.keys('*:sessions')).toEqual([])
  })

  it('does not wait for claims that Redis does not answer', async () => {
    const redis = await startRedis()
    const a = await startNode(redis.port)
    redis.freeze()
    const clients = await Promise.all(
      Array.from({ length: 20 }, async (_each, i) => {
        const client = await a.connect()
        client.send([1, 's', contract.hash, '1.0.0', [], `user${i}`])
        return client
      }),
    )
    await until(() => a.gateway.handshakes.size === 20)
    const closing = a.app.close()
    for (const client of clients) expect((await client.closed()).code).toBe(1012)
    await closing
    redis.resume()
  })
})
