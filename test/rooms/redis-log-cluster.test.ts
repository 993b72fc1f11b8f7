import { expect, it, onTestFinished } from 'vitest'
import type { Position } from '../../plugins/rooms/broker.js'
import { decodeLive, type Live } from '../../plugins/rooms/redis/live.js'
import { liveChannel, RedisLog } from '../../plugins/rooms/redis/log.js'
import { latest, ROOMY, recoverable } from '../conformance/broker-support.js'
import { describeWithRedis, openHub } from '../support/redis.js'
import { startCluster } from '../support/redis-cluster.js'
import { until } from '../support/until.js'

const ROOM = '/chat room:1'

describeWithRedis('the log of a room in a Cluster', () => {
  it('publishes on through a move of its slot, by sharded channels', { timeout: 60_000 }, async () => {
    const cluster = await startCluster(2)
    onTestFinished(() => cluster.remove())
    const hub = await openHub(cluster.client())
    const log = new RedisLog(hub)
    const heard: Live[] = []
    const channel = liveChannel(hub.prefix, ROOM)
    await hub.subscribe(channel, (message) => heard.push(decodeLive(message)))
    let count = 0
    const publish = async (): Promise<Position> => {
      const id = `id ${++count}`
      const batch = [recoverable(count, { id }), latest('k', count)]
      const { results } = await log.publish(ROOM, ROOMY, batch, `nonce ${count}`)
      const [position] = results
      if (position === null || typeof position !== 'object') throw new Error('not kept')
      return position
    }
    const start = await publish()
    await until(() => heard.length === 1)

    const [one, other] = cluster.masters
    if (one === undefined || other === undefined) throw new Error('no masters')
    const slot = Number(await one.process.command('cluster', 'keyslot', channel))
    const [from, to] = slot < 8192 ? [one, other] : [other, one]
    // Without a pause, all through the move: at the old master, where it says ASK, and at the new one.
    let isMoved = false
    const publishing = (async () => {
      while (!isMoved) await publish()
    })()
    await cluster.migrate(slot, from, to, async () => {
      await until(() => count > 5)
    })
    const before = count
    await until(() => count > before + 5)
    isMoved = true
    await publishing

    const payloads: number[] = []
    for (let at = start, more = true; more; ) {
      const page = await log.after(ROOM, ROOMY, at, 'unused')
      expect(page.gap).toBeUndefined()
      payloads.push(...page.publications.map(({ payload }) => Number(payload)))
      at = page.publications.at(-1)?.position ?? at
      more = page.more
    }
    expect(payloads).toEqual(Array.from({ length: count - 1 }, (_, index) => index + 2))
    const { results } = await log.publish(ROOM, ROOMY, [recoverable(1, { id: 'id 1' })], 'again')
    expect(results).toEqual([start])
  })
})
