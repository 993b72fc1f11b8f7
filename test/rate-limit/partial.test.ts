import { afterEach, describe, expect, it } from 'vitest'
import type { RedisClient } from '../../plugins/index.js'
import type { RedisConnection, RedisValue } from '../../plugins/redis/client.js'
import { abortAll } from '../support/raw-client.js'
import { startServer } from '../support/server.js'

afterEach(abortAll)

/** Redis as far as limits and the hub's probe need it: each bucket replies what the test says, or is refused for want of memory. */
function fakeRedis(reply: (max: number) => number | undefined) {
  const taken = new Map<number, number>()
  const subscribers = new Set<(channel: Buffer, message: Buffer) => void>()
  const run = async (command: string, [, , key, ...values]: RedisValue[]) => {
    if (command !== 'evalsha') return 1
    const max = Number(/:(\d+)\/3600:/.exec(String(key))?.[1])
    if (Number.isNaN(max)) {
      for (const deliver of subscribers) deliver(Buffer.from(String(key)), Buffer.from(String(values[1])))
      return 1
    }
    const answer = reply(max)
    if (answer === undefined)
      throw Object.assign(new Error('OOM command not allowed'), { name: 'ReplyError' })
    if (answer === 0) taken.set(max, (taken.get(max) ?? 0) + Number(values[2]))
    return answer
  }
  const connection: RedisConnection = {
    status: 'ready',
    connect: async () => {},
    disconnect: () => {},
    call: run,
    callBuffer: run,
    on: (event: string, listener: unknown) => {
      if (event === 'messageBuffer')
        subscribers.add(listener as typeof subscribers extends Set<infer L> ? L : never)
    },
  }
  const client: RedisClient = { duplicate: () => connection }
  return { client, taken }
}

const limits = {
  echo: [
    { max: 1, seconds: 3600 },
    { max: 2, seconds: 3600 },
  ],
}

describe('where Redis answers for one limit of a call and not for another', () => {
  it('what it took is given back, and this node counts the call', async () => {
    const { client, taken } = fakeRedis((max) => (max === 1 ? 0 : undefined))
    const server = await startServer({ redis: client, limits })
    const ann = await server.enter('ann')
    ann.send([2, 1, 'echo', { text: 'hi' }])
    ann.send([2, 2, 'echo', { text: 'hi' }])
    expect((await ann.next(18))[1]).toBe(1)
    expect((await ann.next(19)).slice(1, 3)).toEqual([2, 'RATE_LIMITED'])
    expect([...taken]).toEqual([[1, 0]])
  })

  it('what it refused stays refused', async () => {
    const { client } = fakeRedis((max) => (max === 1 ? 5_000_000 : undefined))
    const server = await startServer({ redis: client, limits })
    const ann = await server.enter('ann')
    ann.send([2, 1, 'echo', { text: 'hi' }])
    expect((await ann.next(19)).slice(1, 3)).toEqual([1, 'RATE_LIMITED'])
    expect(server.probe.log).toEqual([])
  })
})
