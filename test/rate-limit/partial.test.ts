import { afterEach, describe, expect, it } from 'vitest'
import type { RedisClient } from '../../plugins/index.js'
import { abortAll } from '../support/raw-client.js'
import { startServer } from '../support/server.js'

afterEach(abortAll)

/** Redis as far as limits need it: each bucket replies what the test says, or fails. */
function fakeRedis(reply: (max: number) => number | undefined) {
  const taken = new Map<number, number>()
  const run = async (
    _script: string,
    _keys: number,
    key: unknown,
    _every: unknown,
    _burst: unknown,
    n: unknown,
  ) => {
    const max = Number(/:(\d+)\/3600:/.exec(String(key))?.[1])
    const answer = reply(max)
    if (answer === undefined) throw new Error('the connection is gone')
    if (answer === 0) taken.set(max, (taken.get(max) ?? 0) + Number(n))
    return answer
  }
  const client: RedisClient = { status: 'ready', evalsha: run, eval: run }
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
