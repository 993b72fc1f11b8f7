import { expect, it } from 'vitest'
import { script } from '../../plugins/redis/index.js'
import { describeWithRedis, startRedis } from '../support/redis.js'

describeWithRedis('a Redis whose memory is full', () => {
  it('still takes signs of life: nodes must not take each other for dead', async () => {
    const redis = await startRedis()
    const client = await redis.connect()
    const beat = (counter: number) =>
      script('lease-beat').run(
        (command, args) => client.call(command, ...args),
        ['leases'],
        ['a', `${counter} 1 {}`, 60_000],
      )
    await beat(1)
    await redis.command('config', 'set', 'maxmemory', 1)
    await expect(client.set('k', 'v')).rejects.toThrow('OOM')
    expect(await beat(2)).toEqual(['a', '2 1 {}'])
  })
})
