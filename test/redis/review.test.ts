import { expect, it } from 'vitest'
import { RedisUnavailable } from '../../plugins/redis/index.js'
import { describeWithRedis, startRedis } from '../support/redis.js'
import { clientAt } from '../support/redis-process.js'
import { startProxy } from '../support/tcp-proxy.js'
import { until } from '../support/until.js'
import { down, faster, listen, up, watchedHub, works } from './support.js'

describeWithRedis('proofs', () => {
  it('A: heals where its connection for channels is half open while it subscribes', async () => {
    const redis = await startRedis()
    const proxy = await startProxy(redis.port)
    const { hub, changes } = await watchedHub(clientAt(proxy.port), { clock: faster(5) })
    const { heard } = await listen(hub, 'a')
    const link = [...proxy.links][1]
    if (link === undefined) throw new Error('there is no such link')
    link.down.silent = true
    const other = listen(hub, 'b').catch((error: unknown) => error)
    await down(hub)
    await until(() => hub.isUp)
    await works(hub, 'a', heard)
    expect(await other).toBeInstanceOf(RedisUnavailable)
    expect(changes).toEqual(['down', 'up'])
  }, 20000)
  it('C: too many commands is no outage', async () => {
    const redis = await startRedis()
    const { hub, changes } = await watchedHub(redis.client())
    const all = Array.from({ length: 10_500 }, () => hub.command('get', 'k').catch((error) => error))
    expect((await Promise.all(all)).filter((r) => r instanceof RedisUnavailable)).toHaveLength(500)
    expect(changes).toEqual([])
  })
})
