import type { FastifyPluginAsync } from 'fastify'
import { afterEach, describe, expect, it } from 'vitest'
import { createClock } from '../../client/testing/index.js'
import { call, defineContract, Type } from '../../contract/index.js'
import {
  ackord,
  authPlugin,
  callsPlugin,
  clusterPlugin,
  gatewayPlugin,
  type Limits,
  namespace,
  rateLimitPlugin,
  redisPlugin,
  roomsPlugin,
} from '../../plugins/index.js'
import { namespacePlugin } from '../../plugins/namespace/index.js'
import { listen, makeApp, tiny } from '../gateway/support.js'
import { abortAll, connect, type RawClient } from '../support/raw-client.js'
import { contract, startServer } from '../support/server.js'

afterEach(abortAll)

/** Makes calls one after the other; gives the answers by seq. */
async function echo(client: RawClient, from: number, n: number): Promise<Array<readonly unknown[]>> {
  for (let i = 0; i < n; i++) client.send([2, from + i, 'echo', { text: 'hi' }])
  const answers: Array<readonly unknown[]> = []
  for (let i = 0; i < n; i++)
    answers.push(await client.nextWhere(([, seq]) => seq === from + i, `answer ${from + i}`))
  return answers
}
const codes = (answers: Array<readonly unknown[]>): unknown[] =>
  answers.map(([type, , code]) => (type === 18 ? 'OK' : code))

describe('a limit on a call', () => {
  it('refuses what is beyond with RATE_LIMITED and the ms after which it is let in', async () => {
    const clock = createClock()
    const { enter } = await startServer({ clock, limits: { echo: { max: 3, seconds: 10 } } })
    const ann = await enter('ann')
    const answers = await echo(ann, 1, 5)
    expect(codes(answers)).toEqual(['OK', 'OK', 'OK', 'RATE_LIMITED', 'RATE_LIMITED'])
    const [, , , refused] = answers
    const retryAfter = Number(refused?.[4])
    expect(retryAfter).toBe(3334)
    clock.advance(retryAfter - 2)
    expect(codes(await echo(ann, 10, 1))).toEqual(['RATE_LIMITED'])
    clock.advance(2)
    expect(codes(await echo(ann, 20, 2))).toEqual(['OK', 'RATE_LIMITED'])
  })

  it('does not run the handler, nor ask another hook, and leaves other calls alone', async () => {
    const asked: string[] = []
    const { enter, probe } = await startServer({
      limits: { echo: { max: 1, seconds: 10 } },
      after: (app) =>
        app.ackordGateway.addHook('onCall', (call, next) => {
          asked.push(call.name)
          return next()
        }),
    })
    const ann = await enter('ann')
    expect(codes(await echo(ann, 1, 3))).toEqual(['OK', 'RATE_LIMITED', 'RATE_LIMITED'])
    expect(probe.log).toEqual(['echo hi'])
    for (let i = 0; i < 3; i++) ann.send([2, 10 + i, 'nudge', { name: `${i}` }])
    await ann.ping()
    expect(probe.log).toEqual(['echo hi', 'nudge 0', 'nudge 1', 'nudge 2'])
    expect(asked).toEqual(['echo', 'nudge', 'nudge', 'nudge'])
  })

  it('counts a user over all connections, a connection by itself, an address over all users', async () => {
    for (const [per, expected] of [
      ['user', { again: 'RATE_LIMITED', ben: 'OK' }],
      ['connection', { again: 'OK', ben: 'OK' }],
      ['address', { again: 'RATE_LIMITED', ben: 'RATE_LIMITED' }],
    ] as const) {
      const { enter } = await startServer({ limits: { echo: { max: 1, seconds: 3600, per } } })
      const ann = await enter('ann')
      expect(codes(await echo(ann, 1, 2))).toEqual(['OK', 'RATE_LIMITED'])
      const again = codes(await echo(await enter('ann'), 1, 1))
      const ben = codes(await echo(await enter('ben'), 1, 1))
      expect([per, { again: again[0], ben: ben[0] }]).toEqual([per, expected])
    }
  })

  it('takes the address as trustProxy says, and an IPv6 address by its first 64 bits', async () => {
    const { app } = makeApp({ trustProxy: true })
    const live = namespace(tiny, { path: '/live', authenticate: 'none' })
    await app.register(ackord, { grace: 500 })
    await app.register(
      live.plugin({
        calls: { echo: (input) => input },
        limits: { echo: { max: 1, seconds: 3600, per: 'address' } },
      }),
    )
    const port = await listen(app)
    const enter = async (ip: string) => {
      const client = await connect(`ws://127.0.0.1:${port}/live`, {
        headers: { 'x-forwarded-for': ip },
      })
      client.send([1, 'session', tiny.hash, '1.0.0', []])
      await client.next(17)
      return client
    }
    expect(codes(await echo(await enter('203.0.113.1'), 1, 2))).toEqual(['OK', 'RATE_LIMITED'])
    expect(codes(await echo(await enter('203.0.113.2'), 1, 1))).toEqual(['OK'])
    expect(codes(await echo(await enter('2001:db8::1'), 1, 1))).toEqual(['OK'])
    expect(codes(await echo(await enter('2001:db8::ffff:2'), 1, 1))).toEqual(['RATE_LIMITED'])
    expect(codes(await echo(await enter('2001:db8:0:1::1'), 1, 1))).toEqual(['OK'])
  })

  it('may be one of several: the longest wait counts, and one that lets in is not charged for one that does not', async () => {
    const clock = createClock()
    const { enter } = await startServer({
      clock,
      limits: {
        echo: [
          { max: 2, seconds: 1 },
          { max: 4, seconds: 3600 },
        ],
      },
    })
    const ann = await enter('ann')
    expect(codes(await echo(ann, 1, 3))).toEqual(['OK', 'OK', 'RATE_LIMITED'])
    clock.advance(1000)
    // Refused by the first did not charge the second: two of its four are left.
    const answers = await echo(ann, 10, 3)
    expect(codes(answers)).toEqual(['OK', 'OK', 'RATE_LIMITED'])
    clock.advance(1000)
    const [late] = await echo(ann, 20, 1)
    expect(codes([late ?? []])).toEqual(['RATE_LIMITED'])
    // One of the second flows back each 900 s. The first of those is for the call that was refused a second ago.
    expect(Number(late?.[4])).toBe(2 * 900_000 - 2000)
  })

  it("of '*' counts all calls together", async () => {
    const { enter, probe } = await startServer({ limits: { '*': { max: 2, seconds: 3600 } } })
    const ann = await enter('ann')
    ann.send([2, 50, 'nudge', { name: 'first' }])
    expect(codes(await echo(ann, 1, 2))).toEqual(['OK', 'RATE_LIMITED'])
    expect(probe.log).toEqual(['nudge first', 'echo hi'])
  })

  it("of '*' counts what the contract does not have, and a flood of that is closed", async () => {
    const { enter, app } = await startServer({ floodAfter: 5, limits: { '*': { max: 2, seconds: 3600 } } })
    const ann = await enter('ann')
    for (let i = 1; i <= 2; i++) ann.send([2, i, 'nope', null])
    for (let i = 1; i <= 2; i++) expect((await ann.next(19))[2]).toBe('UNKNOWN_CALL')
    for (let i = 3; i <= 200; i++) ann.send([2, i, `nope ${i}`, null])
    expect(await ann.closed()).toMatchObject({ code: 4005 })
    expect(codes(ann.frames.slice(3))).toEqual(Array(5).fill('RATE_LIMITED'))
    expect(app.ackord.stats().namespaces['/v1/live']?.calls['.']).toMatchObject({
      UNKNOWN_CALL: { count: 2 },
    })
    const ben = await (await startServer({ limits: { echo: { max: 1, seconds: 3600 } } })).enter('ben')
    for (let i = 1; i <= 3; i++) ben.send([2, i, 'nope', null])
    for (let i = 1; i <= 3; i++) expect((await ben.next(19))[2]).toBe('UNKNOWN_CALL')
  })

  it('drops volatile calls without a word, and counts them', async () => {
    const { enter, app, probe } = await startServer({ limits: { nudge: { max: 2, seconds: 3600 } } })
    const ann = await enter('ann')
    for (let i = 0; i < 5; i++) ann.send([2, 1 + i, 'nudge', { name: `${i}` }])
    await ann.ping()
    expect(probe.log).toEqual(['nudge 0', 'nudge 1'])
    expect(ann.frames.map(([type]) => type)).toEqual([17])
    expect(app.ackord.stats().rateLimited).toBe(3)
  })
})

describe('a limit on a stream', () => {
  it('counts how often it is begun, not its items', async () => {
    const counting = defineContract({
      name: 'counting',
      version: '1.0.0',
      calls: { count: call({ input: Type.Object({}), item: Type.Integer(), ack: Type.Null() }) },
    })
    const { app } = makeApp()
    const live = namespace(counting, { path: '/live', authenticate: 'none' })
    let begun = 0
    await app.register(ackord, { grace: 0, clock: createClock() })
    await app.register(
      live.plugin({
        calls: {
          count: async function* () {
            begun++
            for (let i = 0; i < 10; i++) yield i
            return null
          },
        },
        limits: { count: { max: 2, seconds: 3600 } },
      }),
    )
    const client = await connect(`ws://127.0.0.1:${await listen(app)}/live`)
    client.send([1, 'session', counting.hash, '1.0.0', []])
    for (let seq = 1; seq <= 3; seq++) {
      client.send([2, seq, 'count', {}])
      client.send([4, seq, 100])
    }
    expect(await client.next(19)).toEqual([19, 3, 'RATE_LIMITED', null, 1_800_000])
    for (let seq = 1; seq <= 2; seq++)
      await client.nextWhere(([type, of]) => type === 18 && of === seq, 'the end')
    expect(client.frames.filter(([type]) => type === 20)).toHaveLength(20)
    expect(begun).toBe(2)
    const { namespaces, streams } = app.ackord.stats()
    expect(streams).toBe(0)
    expect(namespaces['/live']?.calls.count).toMatchObject({ OK: { count: 2 }, RATE_LIMITED: { count: 1 } })
  })
})

describe('a flood', () => {
  it('that goes on regardless is closed with 4005, after as many refusals as floodAfter says', async () => {
    const { enter, app } = await startServer({
      floodAfter: 20,
      limits: { echo: { max: 5, seconds: 3600 } },
    })
    const ann = await enter('ann')
    expect(codes(await echo(ann, 1, 5))).toEqual(Array(5).fill('OK'))
    for (let i = 10; i <= 200; i++) ann.send([2, i, 'echo', { text: 'hi' }])
    expect(await ann.closed()).toEqual({ code: 4005, reason: 'rate limits ignored' })
    expect(ann.frames.filter(([type]) => type === 19)).toHaveLength(20)
    // It came back: its user has not got a fresh bucket by that.
    expect(codes(await echo(await enter('ann'), 1, 1))).toEqual(['RATE_LIMITED'])
    expect(app.ackord.stats().closes.sent['4005']).toBe(1)
  })

  it('is none where the refusals are far apart', async () => {
    const clock = createClock()
    const { enter } = await startServer({ clock, floodAfter: 3, limits: { echo: { max: 1, seconds: 3600 } } })
    const ann = await enter('ann')
    await echo(ann, 1, 1)
    for (let round = 1; round <= 4; round++) {
      expect(codes(await echo(ann, round * 10, 3))).toEqual(Array(3).fill('RATE_LIMITED'))
      clock.advance(10_000)
    }
    for (let i = 0; i < 4; i++) ann.send([2, 100 + i, 'echo', { text: 'hi' }])
    expect(await ann.closed()).toMatchObject({ code: 4005 })
  })
})

describe('limits', () => {
  const start = async (limits: unknown): Promise<unknown> => {
    const { app } = makeApp()
    const live = namespace(tiny, { path: '/live', authenticate: 'none' })
    try {
      await app.register(ackord)
      await app.register(
        live.plugin({ calls: { echo: (input) => input }, limits: limits as Limits<typeof tiny> }),
      )
      await app.ready()
    } catch (error) {
      return error
    }
    return 'started'
  }

  it('with a wrong number, name or kind fail the start, by name', async () => {
    const wrong: Array<[unknown, string]> = [
      [{ echo: { max: 0, seconds: 1 } }, 'max'],
      [{ echo: { max: 1.5, seconds: 1 } }, 'max'],
      [{ echo: { max: Number.NaN, seconds: 1 } }, 'max'],
      [{ echo: { max: 1_000_001, seconds: 86_400 } }, 'max'],
      [{ echo: { max: 1, seconds: 0 } }, 'seconds'],
      [{ echo: { max: 1, seconds: 86_401 } }, 'seconds'],
      [{ echo: { max: 1 } }, 'seconds'],
      [{ echo: { max: 10_001, seconds: 1 } }, '10,000 a second'],
      [{ echo: { max: 1, seconds: 1, per: 'country' } }, 'per'],
      [{ echo: { max: 1, seconds: 1, window: 5 } }, 'window'],
      [{ echo: [{ max: 1, seconds: 1 }, 7] }, 'echo'],
      [{ echo: null }, 'echo'],
      [{ echo: [] }, 'empty'],
      ['many', 'limits'],
    ]
    for (const [limits, detail] of wrong) {
      expect([limits, await start(limits)]).toEqual([
        limits,
        expect.objectContaining({ code: 'ACKORD_INVALID_OPTION', message: expect.stringContaining(detail) }),
      ])
    }
    for (const name of ['ecko', '', '__proto__x', 'toString']) {
      expect(await start({ [name]: { max: 1, seconds: 1 } })).toMatchObject({ code: 'ACKORD_UNKNOWN_NAME' })
    }
  })

  it('at their bounds are taken, as are none', async () => {
    for (const limits of [
      undefined,
      {},
      { echo: { max: 1, seconds: 1 } },
      { echo: { max: 10_000, seconds: 1 } },
      { echo: { max: 1_000_000, seconds: 86_400 } },
      { '*': { max: 1, seconds: 1, per: 'connection' } },
    ])
      expect([limits, await start(limits)]).toEqual([limits, 'started'])
  })

  it('are never ignored: without their plugin, or with it behind calls, the app does not start', async () => {
    const live = namespace(tiny, { path: '/live', authenticate: 'none' })
    const limits = { echo: { max: 1, seconds: 3600 } }
    const start = async (...plugins: FastifyPluginAsync[]) => {
      const { app } = makeApp()
      await app.register(gatewayPlugin)
      await app.register(redisPlugin)
      await app.register(clusterPlugin)
      await app.register(authPlugin)
      for (const plugin of plugins) await app.register(plugin)
      await app.register(roomsPlugin)
      await app.register(namespacePlugin)
      await app.register(live.plugin({ calls: { echo: (input) => input }, limits }))
      await app.ready()
    }
    await expect(start(callsPlugin)).rejects.toMatchObject({ code: 'ACKORD_PLUGIN_MISSING' })
    await expect(start(callsPlugin, rateLimitPlugin)).rejects.toMatchObject({ code: 'ACKORD_INVALID_HOOK' })
    await start(rateLimitPlugin, callsPlugin)
  })

  it('put no hook before the calls of a namespace that has none', async () => {
    const { gateway } = await startServer()
    expect(gateway.hooks.of('onCall', '/v1/live')).toEqual([])
    expect(contract.calls.echo).toBeDefined()
  })
})
