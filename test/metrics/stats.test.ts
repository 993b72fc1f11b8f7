import { afterEach, describe, expect, it } from 'vitest'
import { createClock } from '../../client/testing/index.js'
import { call, defineContract, Type } from '../../contract/index.js'
import { ackord, CallError, LATENCY_BUCKETS_MS, namespace } from '../../plugins/index.js'
import { Histogram } from '../../plugins/metrics/histogram.js'
import { changesBetween } from '../../plugins/metrics/report.js'
import { eventually, listen, makeApp } from '../gateway/support.js'
import { OPCODE, wsFrame } from '../support/raw-bytes.js'
import { abortAll, connect, refused } from '../support/raw-client.js'
import { contract, startServer } from '../support/server.js'

afterEach(abortAll)

const PATH = '/v1/live'

describe('stats()', () => {
  it('is a plain object: all zero at the start', async () => {
    const { app } = await startServer({ clock: createClock() })
    const stats = app.ackord.stats()
    expect(stats).toEqual({
      uptime: 0,
      connections: { open: 0, opening: 0, users: 0 },
      upgrades: { pending: 0, accepted: 0, refused: {} },
      closes: { sent: {}, received: {} },
      buffered: 0,
      streams: 0,
      backpressure: { dropped: 0, closed: 0, paused: 0, overloaded: 0 },
      rateLimited: 0,
      unchecked: 0,
      namespaces: { [PATH]: { open: 0, users: 0, calls: {} } },
    })
    expect(JSON.parse(JSON.stringify(stats))).toEqual(stats)
  })

  it('counts connections and users as they are now, upgrades and closes as they were', async () => {
    const { app, enter, connect, url } = await startServer()
    const ann = await enter('ann')
    await enter('ann')
    await enter('ben')
    await connect()
    const bad = { headers: { authorization: 'Bearer bad' } }
    await refused(url, bad)
    await refused(url, bad)
    await refused(url, { headers: { origin: 'https://elsewhere.example' } })
    const { connections, upgrades, namespaces } = app.ackord.stats()
    expect(connections).toEqual({ open: 3, opening: 1, users: 2 })
    expect(namespaces[PATH]).toMatchObject({ open: 3, users: 2 })
    expect(upgrades).toEqual({
      pending: 0,
      accepted: 4,
      refused: { UNAUTHORIZED: 2, ORIGIN_FORBIDDEN: 1 },
    })
    ann.close(1000)
    await ann.closed()
    await eventually(() => expect(app.ackord.stats().connections.open).toBe(2))
    expect(app.ackord.stats().closes).toEqual({ sent: {}, received: { 1000: 1 } })
  })

  it('counts a close once, and by the code that ended the connection', async () => {
    const { app, enter, connect } = await startServer()
    const ann = await enter('ann')
    ann.send([99])
    await ann.closed()
    const nobody = await connect()
    nobody.send([1, 'session', contract.hash, '1.0.0', [], 'bad'])
    await nobody.closed()
    const ben = await enter('ben')
    ben.abort()
    await eventually(() => {
      expect(app.ackord.stats().closes).toEqual({ sent: { 4501: 1, 4506: 1 }, received: { 1006: 1 } })
    })
  })

  it('counts calls by name and code, each once, with how long they took', async () => {
    const clock = createClock()
    const { app, enter, probe } = await startServer({ clock, callTimeout: 5000 })
    const calls = () => app.ackord.stats().namespaces[PATH]?.calls ?? {}
    const counts = () =>
      Object.fromEntries(
        Object.entries(calls()).map(([name, codes]) => [
          name,
          Object.fromEntries(Object.entries(codes).map(([code, { count }]) => [code, count])),
        ]),
      )
    const ann = await enter('ann')
    ann.send([2, 1, 'echo', { text: 'hi' }])
    ann.send([2, 2, 'echo', { text: 'teapot' }])
    ann.send([2, 3, 'echo', { text: 'throw' }])
    ann.send([2, 4, 'echo', { text: 7 }])
    ann.send([2, 5, 'ecko', {}])
    ann.send([2, 6, 'constructor', {}])
    ann.send([2, 7, 'nudge', { name: 'a' }])
    await ann.ping()
    const answered = {
      '.': { UNKNOWN_CALL: 2 },
      echo: { OK: 1, TEAPOT: 1, INTERNAL: 1, INVALID_INPUT: 1 },
      nudge: { OK: 1 },
    }
    expect(counts()).toEqual(answered)

    const wait = async (seq: number, name: string) => {
      ann.send([2, seq, 'wait', { name }])
      await eventually(() => expect(probe.log).toContain(`wait ${name}`))
    }
    await wait(10, 'slow')
    clock.advance(3)
    probe.release('slow')
    await ann.next(18)
    await wait(11, 'cancelled')
    ann.send([3, 11])
    await ann.nextWhere(([, seq]) => seq === 11, 'the answer to CANCEL')
    // What the handler says now is too late to count.
    probe.release('cancelled')
    await wait(12, 'late')
    clock.advance(5100)
    await ann.nextWhere(([, seq]) => seq === 12, 'TIMEOUT')
    await wait(13, 'lost')
    clock.advance(1)
    ann.abort()
    await eventually(() =>
      expect(counts()).toEqual({
        ...answered,
        wait: { OK: 1, CANCELLED: 1, TIMEOUT: 1, CONNECTION_LOST: 1 },
      }),
    )
    probe.release('lost')
    probe.release('late')

    const slow = calls().wait?.OK
    expect(slow?.ms).toBe(3)
    expect(slow?.latency.indexOf(1)).toBe(LATENCY_BUCKETS_MS.indexOf(4))
    expect(slow?.latency).toHaveLength(LATENCY_BUCKETS_MS.length + 1)
    expect(calls().wait?.TIMEOUT?.ms).toBeGreaterThanOrEqual(5000)
  })

  it('counts a stream once, however it ends, and shows those that run', async () => {
    const counting = defineContract({
      name: 'counting',
      version: '1.0.0',
      calls: {
        count: call({
          input: Type.Object({ to: Type.Integer() }),
          item: Type.Integer(),
          ack: Type.Null(),
          errors: { TOO_FAR: Type.Null() },
        }),
      },
    })
    const { app } = makeApp()
    const live = namespace(counting, { path: '/live', authenticate: 'none' })
    await app.register(ackord, { grace: 500 })
    await app.register(
      live.plugin({
        calls: {
          count: async function* ({ to }, { fail }) {
            for (let i = 0; i < to; i++) {
              if (i > 10) fail('TOO_FAR', null)
              yield i
            }
            return null
          },
        },
      }),
    )
    const client = await connect(`ws://127.0.0.1:${await listen(app)}/live`)
    client.send([1, 'session', counting.hash, '1.0.0', []])
    await client.next(17)
    const begin = (seq: number, to: number, credit: number) => {
      client.send([2, seq, 'count', { to }])
      client.send([4, seq, credit])
    }
    begin(1, 5, 100)
    await client.next(18)
    begin(2, 50, 100)
    await client.next(19)
    begin(3, 5, 1)
    client.send([3, 3])
    await client.next(19)
    begin(4, 5, 1)
    await client.nextWhere(([type, seq]) => type === 20 && seq === 4, 'an item')
    expect(app.ackord.stats().streams).toBe(1)
    client.abort()
    await eventually(() => {
      const { namespaces, streams } = app.ackord.stats()
      const codes = Object.entries(namespaces['/live']?.calls.count ?? {})
      expect(Object.fromEntries(codes.map(([code, { count }]) => [code, count]))).toEqual({
        OK: 1,
        TOO_FAR: 1,
        CANCELLED: 1,
        CONNECTION_LOST: 1,
      })
      expect(streams).toBe(0)
    })
  })

  it('does not grow with the names and codes that peers and handlers make up', async () => {
    const { app, enter } = await startServer({
      after: (app) => {
        let n = 0
        app.ackordGateway.addHook('onCall', async () => {
          throw new CallError(`CODE_${n++}`)
        })
      },
    })
    const ann = await enter('ann')
    for (let i = 1; i <= 200; i++) {
      ann.send([2, 2 * i, `name ${i}`, {}])
      // Nothing checks the code of what is not answered.
      ann.send([2, 2 * i + 1, 'nudge', { name: 'hi' }])
      // More at once would be refused as OVERLOADED.
      await ann.next(19)
    }
    await ann.ping()
    const calls = app.ackord.stats().namespaces[PATH]?.calls ?? {}
    expect(Object.keys(calls)).toEqual(['.', 'nudge'])
    expect(Object.keys(calls.nudge ?? {})).toHaveLength(65)
    expect(calls.nudge?.other?.count).toBe(200 - 64)
  })

  it('keeps the close codes that peers send apart from ours, and those they make up under one name', async () => {
    const { app, enter } = await startServer()
    for (const code of [4508, 1013, 1001, 4004, 3000, ...Array.from({ length: 100 }, (_, n) => 4600 + n)]) {
      const client = await enter('ann')
      client.close(code)
      await client.closed()
    }
    const broken = await enter('ann')
    broken.write(wsFrame({ opcode: 3 }))
    expect((await broken.closed()).code).toBe(1002)
    const silent = await enter('ann')
    silent.write(wsFrame({ opcode: OPCODE.close }))
    await silent.closed()
    await eventually(() => {
      expect(app.ackord.stats().closes).toEqual({
        sent: { 1002: 1 },
        received: { 1001: 1, 1005: 1, 4004: 1, other: 103 },
      })
    })
  })

  it('counts as open who has WELCOME, and as opening who is before it', async () => {
    let release = (): void => {}
    const gate = new Promise<void>((resolve) => {
      release = resolve
    })
    const { app, connect } = await startServer({
      after: (app) => app.ackordGateway.addHook('onConnect', () => gate),
    })
    const client = await connect()
    client.send([1, 'session', contract.hash, '1.0.0', [], 'ann'])
    const counts = () => {
      const { connections, namespaces } = app.ackord.stats()
      return [connections.open, connections.opening, namespaces[PATH]?.open]
    }
    await eventually(() => expect(app.ackord.stats().connections.users).toBe(1))
    expect(counts()).toEqual([0, 1, 0])
    release()
    await client.next(17)
    expect(counts()).toEqual([1, 0, 1])
  })

  it('shows what waits to leave, and what happens at the bounds, as the hooks do', async () => {
    const told: string[] = []
    const { app, live, enter, probe } = await startServer({
      inFlight: 2,
      maxBuffered: 131_072,
      after: (app) =>
        app.ackordGateway.addHook('onBackpressure', (_connection, what) => void told.push(what)),
    })
    const ann = await enter('ann')
    for (let i = 1; i <= 9; i++) ann.send([2, i, 'wait', { name: `${i}` }])
    expect((await ann.next(19))[2]).toBe('OVERLOADED')
    expect(app.ackord.stats().backpressure).toEqual({ dropped: 0, closed: 0, paused: 1, overloaded: 1 })
    for (let i = 1; i <= 8; i++) probe.release(`${i}`)
    for (let i = 1; i <= 8; i++) await ann.next(18)

    const slow = await enter('slow')
    slow.pause()
    const notice = { id: 'n', text: 'x'.repeat(10_000) }
    for (let i = 0; i < 2000 && app.ackord.stats().backpressure.dropped === 0; i++) {
      live.user('slow').send('notice', notice)
      await new Promise((resolve) => setImmediate(resolve))
    }
    const { backpressure, buffered } = app.ackord.stats()
    expect(backpressure.dropped).toBe(1)
    expect(buffered).toBeGreaterThan(100_000)
    expect(buffered).toBeLessThanOrEqual(131_072)
    expect(told).toEqual(['paused', 'overloaded', 'dropped'])
  })

  it('goes on where a hook throws or rejects, which is logged', async () => {
    const { app, enter, lines } = await startServer({
      after: (app) => {
        app.ackordGateway.addHook('onAnswer', () => {
          throw new Error('thrown')
        })
        app.ackordGateway.addHook('onAnswer', async () => {
          throw new Error('rejected')
        })
      },
    })
    const ann = await enter('ann')
    ann.send([2, 1, 'echo', { text: 'hi' }])
    expect(await ann.next(18)).toEqual([18, 1, { text: 'hi' }])
    await eventually(() =>
      expect(lines.filter(({ level }) => level === 50)).toMatchObject([
        { err: { message: 'thrown' } },
        { err: { message: 'rejected' } },
      ]),
    )
    expect(app.ackord.stats().namespaces[PATH]?.calls.echo?.OK?.count).toBe(1)
  })
})

describe('statsEvery', () => {
  it('logs the stats and what changed since the line before, until the app is closed', async () => {
    const clock = createClock()
    const { app, enter, lines } = await startServer({ clock, statsEvery: 5000 })
    const logged = () => lines.filter(({ msg }) => msg === 'ackord: stats')
    const ann = await enter('ann')
    ann.send([2, 1, 'echo', { text: 'hi' }])
    await ann.next(18)
    clock.advance(4999)
    expect(logged()).toEqual([])
    clock.advance(1)
    expect(logged()).toMatchObject([
      {
        level: 30,
        stats: { connections: { open: 1 }, upgrades: { accepted: 1 }, uptime: 5000 },
        changes: {
          connections: { open: 1, users: 1 },
          upgrades: { accepted: 1 },
          namespaces: { [PATH]: { open: 1, users: 1, calls: { echo: { OK: { count: 1 } } } } },
        },
      },
    ])
    clock.advance(5000)
    expect(logged()[1]).toMatchObject({ changes: {}, stats: { upgrades: { accepted: 1 } } })
    await app.close()
    clock.advance(50_000)
    expect(logged()).toHaveLength(2)
  })

  it('is off unless it is asked for', async () => {
    const clock = createClock()
    const { lines } = await startServer({ clock })
    clock.advance(20_000)
    expect(lines.filter(({ msg }) => msg === 'ackord: stats')).toEqual([])
  })

  it('tells what rose and what fell, and leaves out what did neither', () => {
    const before = { a: 1, b: { c: 2, d: 3 }, gone: { x: 1 }, list: [1] }
    const after = { a: 1, b: { c: 1, d: 3, e: 4 }, uptime: 9, list: [2], added: { y: 1 } }
    expect(changesBetween(before, after)).toEqual({ b: { c: -1, e: 4 }, added: { y: 1 } })
  })
})

describe('a histogram', () => {
  it('counts each time in the one bucket whose bounds it lies in', () => {
    expect(LATENCY_BUCKETS_MS).toEqual(expect.arrayContaining([0.25, 1, 1024, 65_536]))
    for (const [i, bound] of LATENCY_BUCKETS_MS.entries()) {
      for (const [ms, place] of [
        [bound, i],
        [bound * 1.001, i + 1],
        [bound * 0.999, i],
      ] as const) {
        const histogram = new Histogram()
        histogram.add(ms)
        expect([ms, histogram.buckets.indexOf(1)]).toEqual([ms, place])
      }
    }
    const histogram = new Histogram()
    for (const ms of [0, 1e-9, 1e9, Number.MAX_VALUE]) histogram.add(ms)
    expect(histogram.buckets[0]).toBe(2)
    expect(histogram.buckets.at(-1)).toBe(2)
    expect(histogram.buckets).toHaveLength(LATENCY_BUCKETS_MS.length + 1)
  })
})
