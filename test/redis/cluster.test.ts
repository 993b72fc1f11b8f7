/** In a Cluster of real processes. Under Sentinel and with a master lost: `npm run faults`. */
import { expect, it, onTestFinished } from 'vitest'
import { Script } from '../../plugins/redis/index.js'
import { slotOf } from '../../plugins/redis/slots.js'
import { describeWithRedis } from '../support/redis.js'
import { startCluster } from '../support/redis-cluster.js'
import { until } from '../support/until.js'
import { listen, up, watchedHub, works } from './support.js'

const put = new Script("return redis.call('SET', KEYS[1], ARGV[1])")

describeWithRedis('the hub of a Cluster', () => {
  it('knows the slot of a name as the servers do', async () => {
    const cluster = await startCluster()
    onTestFinished(() => cluster.remove())
    const [{ process }] = cluster.masters as [(typeof cluster.masters)[0]]
    const names = [
      '',
      'a',
      '{a}',
      '{}a',
      'x{a}y{b}',
      '{a',
      'a}',
      'ä{ö}',
      'ackord:{/chat general}:log',
      '}{a}',
    ]
    for (let i = 0; i < 100; i++) names.push(`name ${i * 7919}`)
    for (const name of names)
      expect([name, slotOf(name)]).toEqual([name, await process.command('cluster', 'keyslot', name)])
  })

  it('runs scripts and channels on all masters, and follows slots that move', async () => {
    const cluster = await startCluster()
    onTestFinished(() => cluster.remove())
    const { hub, changes } = await watchedHub(cluster.client())
    await up(hub)
    changes.length = 0
    const rooms = await Promise.all(
      Array.from({ length: 60 }, (_, i) => listen(hub, `ackord:{room ${i}}:live`)),
    )
    const all = async () => {
      for (const [i, { heard }] of rooms.entries()) {
        await works(hub, `ackord:{room ${i}}:live`, heard)
        expect(await hub.run(put, [`ackord:{room ${i}}:log`], [i])).toBe('OK')
      }
    }
    await all()
    const [one, two] = cluster.masters
    if (one === undefined || two === undefined) throw new Error('there are three')
    const moved = rooms.findIndex((_, i) => slotOf(`{room ${i}}`) < 5000)
    await cluster.migrate(slotOf(`{room ${moved}}`), one, two)
    await until(() => changes.length >= 2)
    await up(hub)
    await all()
    // Whoever listens has to look at what was missed meanwhile.
    expect(changes).toEqual(['down', 'up'])
    for (const { heard } of rooms) expect(new Set(heard).size).toBe(heard.length)
  })

  it('goes on with the other masters where one is away', async () => {
    const cluster = await startCluster()
    onTestFinished(() => cluster.remove())
    const { hub, changes } = await watchedHub(cluster.client())
    await up(hub)
    const rooms = await Promise.all(Array.from({ length: 20 }, (_, i) => listen(hub, `{room ${i}}`)))
    changes.length = 0
    await cluster.masters[0]?.process.kill()
    let lost = 0
    for (const [i, { heard }] of rooms.entries()) {
      if (slotOf(`{room ${i}}`) < 16_384 / 3 - 1) {
        lost++
        await expect(hub.publish(`{room ${i}}`, 'x')).rejects.toMatchObject({ code: 'UNAVAILABLE' })
      } else await works(hub, `{room ${i}}`, heard)
    }
    expect([lost > 0, lost < 20, hub.isUp]).toEqual([true, true, false])
    expect(changes).toEqual(['down'])
  })
})
