import Fastify from 'fastify'
import { expect, it } from 'vitest'
import { createClock } from '../../client/testing/index.js'
import { call, defineContract, Type } from '../../contract/index.js'
import { ackord, namespace } from '../../plugins/index.js'
import { joined } from '../integration/support.js'

const contract = defineContract({
  name: 'limited',
  version: '1.0.0',
  calls: {
    save: call({ input: Type.Object({ n: Type.Integer() }), ack: Type.Integer(), delivery: 'repeat' }),
    look: call({ input: Type.Object({ n: Type.Integer() }), ack: Type.Integer() }),
  },
})

/** An app with the limit on both calls, and a generated client. */
const setUp = async (max: number, seconds: number) => {
  const app = Fastify()
  const clock = createClock()
  const live = namespace(contract, { path: '/live', authenticate: ({ token }) => ({ id: token }) })
  const ran: number[] = []
  await app.register(ackord, { clock, grace: 0 })
  const limits = { save: { max, seconds }, look: { max, seconds } }
  const calls = {
    save: ({ n }: { n: number }) => {
      ran.push(clock.now())
      return n
    },
    look: ({ n }: { n: number }) => n,
  }
  await app.register(live.plugin({ calls, limits }))
  const { enter } = await joined(app, contract)
  return { app, clock, ran, client: enter('ann', { clock }) }
}

it('a generated client comes back with queued calls when it was told to: all are let in, no faster than the limit', async () => {
  const { app, clock, ran, client } = await setUp(5, 1)
  const answers = Promise.all(Array.from({ length: 100 }, (_, n) => client.calls.save?.({ n })))
  // 5 at once and 95 in 19 s, where nobody is told to come at the same time as another.
  const done = { at: Number.NaN }
  void answers.then(() => {
    done.at = clock.now()
  })
  const start = clock.now()
  for (let i = 0; i < 400 && Number.isNaN(done.at); i++) {
    await clock.advanceAsync(100)
  }
  expect(await answers).toEqual(Array.from({ length: 100 }, (_, n) => n))
  expect(ran).toHaveLength(100)
  for (let i = 0; i + 10 < ran.length; i++)
    expect((ran[i + 10] ?? 0) - (ran[i] ?? 0)).toBeGreaterThanOrEqual(1000)
  expect(done.at - start).toBeLessThan(30_000)
  const { rateLimited, closes } = app.ackord.stats()
  // Without a time of their own for each it would be thousands.
  expect(rateLimited).toBeLessThan(400)
  expect(closes).toEqual({ sent: {}, received: {} })
})

it('a generated client is told of an attempt that was refused, and when to try again', async () => {
  const { client } = await setUp(1, 10)
  expect(await client.calls.look?.result({ n: 1 })).toEqual({ ok: true, value: 1 })
  expect(await client.calls.look?.result({ n: 2 })).toMatchObject({
    ok: false,
    error: { code: 'RATE_LIMITED', retry: true, retryAfter: 10_000 },
  })
})
