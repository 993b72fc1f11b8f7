/** A Redis server as the log of a room sees it, without the hub. */
import type { Redis } from 'ioredis'
import type { RedisValue, Script } from '../../plugins/redis/index.js'
import { startRedis, type TestRedis } from '../support/redis.js'
import type { Side } from './differential.js'

/** What tests of the log use. */
export interface RedisSide extends Side {
  readonly server: TestRedis
  readonly client: Redis
}

/** Starts a server that ends with the test. */
export async function startSide(): Promise<RedisSide> {
  const server = await startRedis()
  const client = await server.connect()
  const subscriber = await server.connect()
  const heard = new Map<string, Buffer[]>()
  let marks = 0
  let marked = (_mark: string): void => {}
  subscriber.on('pmessageBuffer', (_pattern: string, channel: Buffer, message: Buffer) => {
    const name = channel.toString()
    if (name === 'mark:live') marked(message.toString())
    else heard.set(name, [...(heard.get(name) ?? []), message])
  })
  await subscriber.psubscribe('*:live')
  return {
    server,
    client,
    prefix: 'test',
    isCluster: false,
    run: (script: Script, keys: readonly string[], values: readonly RedisValue[]) =>
      script.run((command, given) => client.call(command, given), keys, values),
    delete: async (keys) => void (await client.del(...keys)),
    heard: async (channel) => {
      const mark = String(++marks)
      await new Promise<void>((resolve) => {
        marked = (text) => {
          if (text === mark) resolve()
        }
        void client.publish('mark:live', mark)
      })
      const messages = heard.get(channel) ?? []
      heard.delete(channel)
      return messages
    },
  }
}
