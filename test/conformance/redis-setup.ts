/** Two nodes' brokers on the rooms of one Redis, whatever kind of Redis it is. */
import { setTimeout } from 'node:timers/promises'
import type { Cluster, Redis } from 'ioredis'
import { serverClock } from '../../contract/server-clock.js'
import { RedisBroker } from '../../plugins/rooms/broker-redis.js'
import { openHub } from '../support/redis.js'
import type { BrokerSetup } from './broker.js'

const PARTS = ['log', 'meta', 'ids0', 'ids1', 'latest', 'order']

/** `client` ends with the test. */
export async function redisSetup(client: Redis | Cluster): Promise<BrokerSetup> {
  const errors: unknown[] = []
  const onError = (error: unknown): void => void errors.push(error)
  const node = async (): Promise<RedisBroker> => {
    const hub = await openHub(client, { prefix: 'conformance' })
    // Its hub says that Redis is back before anybody waits long.
    return new RedisBroker({ hub, clock: serverClock, onError, random: () => 0 })
  }
  const [broker, other] = [await node(), await node()]
  const keysOf = (room: string): string[] => PARTS.map((name) => `conformance:{${room}}:${name}`)
  const masters = (): Redis[] => ('nodes' in client ? client.nodes('master') : [client])
  return {
    broker,
    other,
    errors,
    pass: (ms) => setTimeout(ms),
    async lose(room) {
      await client.del(...keysOf(room))
    },
    async raiseOffset(room, offset) {
      await client.hset(`conformance:{${room}}:meta`, 'offset', offset)
    },
    async deafen() {
      for (const master of masters()) await master.call('client', ['KILL', 'TYPE', 'pubsub'])
    },
    async keep(room) {
      const kept = await Promise.all(
        keysOf(room).map(async (key) => [key, await client.dumpBuffer(key)] as const),
      )
      return async () => {
        for (const [key, value] of kept) await client.call('restore', [key, 600_000, value, 'REPLACE'])
      }
    },
    async stop() {
      await broker.close()
      await other.close()
    },
  }
}
