import { expect, it } from 'vitest'
import type { Publication } from '../../plugins/rooms/broker.js'
import type { MakeBroker } from './broker.js'
import {
  expectRefusal,
  latest,
  listen,
  NO_HISTORY,
  offsetsOf,
  payloadsOf,
  publishAll,
  ROOMY,
  range,
  readAs,
  recoverable,
  start,
  subscriberOf,
  volatile,
} from './broker-support.js'

/** Who gets what, in which order, from when until when. */
export function deliveryConformance(make: MakeBroker): void {
  it('delivers to every subscriber on every node what was published on any, the publisher included', async () => {
    const { broker, other, room } = await start(make)
    const here = await listen(broker, room, ROOMY)
    const there = await listen(other, room, ROOMY)
    await publishAll(broker, room, ROOMY, [recoverable('a'), recoverable('b')])
    await publishAll(other, room, ROOMY, [recoverable('c')])
    expect(payloadsOf(await here.count(3))).toEqual(['a', 'b', 'c'])
    expect(payloadsOf(await there.count(3))).toEqual(['a', 'b', 'c'])
  })

  it('delivers every field as it was published, and the position that publish answered', async () => {
    const { broker, room } = await start(make)
    const listener = await listen(broker, room, ROOMY)
    const position = await broker.publish(room, ROOMY, recoverable({ n: 1 }, { except: 's1', id: 'i1' }))
    await broker.publish(room, ROOMY, latest('EUR', 2, { except: 's2' }))
    await broker.publish(room, ROOMY, volatile([3], { except: 's3' }))
    expect(await listener.count(3)).toEqual([
      { event: 'posted', delivery: 'recoverable', payload: '{"n":1}', except: 's1', position },
      { event: 'price', delivery: 'latest', payload: '2', latestKey: 'EUR', except: 's2' },
      { event: 'typing', delivery: 'volatile', payload: '[3]', except: 's3' },
    ])
    expect(listener.received[0]).not.toHaveProperty('id')
  })

  it('delivers in the order of the calls when they are made at once', async () => {
    const { broker, room } = await start(make)
    const listener = await listen(broker, room, ROOMY)
    const positions = await Promise.all(range(1, 200).map((n) => broker.publish(room, ROOMY, recoverable(n))))
    expect(positions.map((position) => position?.offset)).toEqual(range(1, 200))
    expect(payloadsOf(await listener.count(200))).toEqual(range(1, 200))
    expect(offsetsOf(listener.received)).toEqual(range(1, 200))
  })

  it('gives publishers on two nodes one order, in which each keeps its own', async () => {
    const { broker, other, room } = await start(make)
    const here = await listen(broker, room, ROOMY)
    const there = await listen(other, room, ROOMY)
    await Promise.all(
      range(1, 100).flatMap((n) => [
        broker.publish(room, ROOMY, recoverable(['a', n])),
        other.publish(room, ROOMY, recoverable(['b', n])),
      ]),
    )
    const seen = [...(await here.count(200))]
    expect(await there.count(200)).toEqual(seen)
    expect(offsetsOf(seen)).toEqual(range(1, 200))
    for (const publisher of ['a', 'b']) {
      const own = payloadsOf(seen.filter(({ payload }) => payload.startsWith(`["${publisher}"`)))
      expect(own).toEqual(range(1, 100).map((n) => [publisher, n]))
    }
  })

  it('keeps rooms apart, whatever their keys look like', async () => {
    const { broker, room } = await start(make)
    const suffixes = ['', ':', '{a}', '{}', '}', ' ', '\n', '*', '[ab]', 'é', '🚀', '"', '\\', ':log']
    const listeners = await Promise.all(suffixes.map((suffix) => listen(broker, room + suffix, ROOMY)))
    for (const suffix of suffixes) await broker.publish(room + suffix, ROOMY, recoverable(suffix))
    for (const [index, suffix] of suffixes.entries()) {
      expect(payloadsOf((await listeners[index]?.caughtUp()) ?? [])).toEqual([suffix])
    }
  })

  it('carries any JSON text unchanged', async () => {
    const { broker, room } = await start(make)
    const listener = await listen(broker, room, ROOMY)
    const texts = [
      'null',
      '""',
      '"żółć 你好 🚀 \u2028"',
      '"\\ud800"',
      '[1e400,-0]',
      '{"__proto__":{"a":1}}',
      `"${'é'.repeat(5000)}"`,
    ]
    for (const payload of texts) await broker.publish(room, ROOMY, { ...recoverable(0), payload })
    expect((await listener.count(texts.length)).map(({ payload }) => payload)).toEqual(texts)
    const { publications } = await readAs(broker, room, ROOMY, { last: 100 })
    expect(publications.map(({ payload }) => payload)).toEqual(texts)
  })

  it('delivers nothing published before the subscription, and nothing after its end', async () => {
    const { broker, room } = await start(make)
    await broker.publish(room, ROOMY, recoverable('before'))
    const first = await listen(broker, room, ROOMY)
    const second = await listen(broker, room, ROOMY)
    await broker.publish(room, ROOMY, recoverable('during'))
    await first.count(1)
    first.stop()
    first.stop()
    await broker.publish(room, ROOMY, recoverable('after'))
    expect(payloadsOf(await second.caughtUp())).toEqual(['during', 'after'])
    expect(payloadsOf(first.received)).toEqual(['during'])
  })

  it('delivers again after unsubscribing and subscribing anew, and the log has what came between', async () => {
    const { broker, room } = await start(make)
    const first = await listen(broker, room, ROOMY)
    const [since] = await publishAll(broker, room, ROOMY, [recoverable(1)])
    await first.count(1)
    first.stop()
    await broker.publish(room, ROOMY, recoverable(2))
    const second = await listen(broker, room, ROOMY)
    await broker.publish(room, ROOMY, recoverable(3))
    expect(payloadsOf(await second.count(1))).toEqual([3])
    expect(payloadsOf((await readAs(broker, room, ROOMY, { since })).publications)).toEqual([2, 3])
  })

  it('lets a subscriber end its subscription while it is being delivered to', async () => {
    const { broker, room } = await start(make)
    const witness = await listen(broker, room, ROOMY)
    let calls = 0
    const stop = await broker.subscribe(
      room,
      ROOMY,
      subscriberOf(() => {
        calls += 1
        stop()
      }),
    )
    await publishAll(broker, room, ROOMY, [recoverable(1), recoverable(2)])
    expect(payloadsOf(await witness.caughtUp())).toEqual([1, 2])
    expect(calls).toBe(1)
  })

  it('delivers nothing to a subscriber whose subscription another one has just ended', async () => {
    const { broker, room } = await start(make)
    let victim = () => {}
    await broker.subscribe(
      room,
      ROOMY,
      subscriberOf(() => victim()),
    )
    const listener = await listen(broker, room, ROOMY)
    victim = listener.stop
    const witness = await listen(broker, room, ROOMY)
    await broker.publish(room, ROOMY, recoverable(1))
    expect(payloadsOf(await witness.caughtUp())).toEqual([1])
    expect(listener.received).toEqual([])
  })

  it('reports a throwing subscriber and harms neither the publisher nor the other subscribers', async () => {
    const { broker, room, errors } = await start(make)
    const before = await listen(broker, room, ROOMY)
    const thrown = new Error('thrown by a subscriber')
    await broker.subscribe(
      room,
      ROOMY,
      subscriberOf(() => {
        throw thrown
      }),
    )
    const after = await listen(broker, room, ROOMY)
    const [position] = await publishAll(broker, room, ROOMY, [recoverable(1), recoverable(2)])
    expect(position?.offset).toBe(1)
    expect(payloadsOf(await before.count(2))).toEqual([1, 2])
    expect(payloadsOf(await after.count(2))).toEqual([1, 2])
    expect(new Set(errors)).toEqual(new Set([thrown]))
  })

  it('serves a subscriber that reads and publishes when it is delivered to', async () => {
    const { broker, room } = await start(make)
    const answers: Array<Promise<unknown>> = []
    await broker.subscribe(
      room,
      ROOMY,
      subscriberOf((publications) => {
        for (const { payload } of publications) {
          if (payload === '"ask"') {
            answers.push(broker.publish(room, ROOMY, recoverable('answer')), readAs(broker, room, ROOMY))
          }
        }
      }),
    )
    const listener = await listen(broker, room, ROOMY)
    await broker.publish(room, ROOMY, recoverable('ask'))
    expect(payloadsOf(await listener.count(2))).toEqual(['ask', 'answer'])
    await Promise.all(answers)
    expect(offsetsOf(listener.received)).toEqual([1, 2])
  })

  it('misses nothing between a subscription and a read that follows it, while others publish', async () => {
    const { broker, other, room } = await start(make)
    const publishing = (async () => {
      for (const n of range(1, 300)) await other.publish(room, ROOMY, recoverable(n))
    })()
    for (let round = 0; round < 5; round++) {
      const live: Publication[] = []
      const stop = await broker.subscribe(
        room,
        ROOMY,
        subscriberOf((publications) => live.push(...publications)),
      )
      const { position, publications } = await readAs(broker, room, ROOMY, { last: 1000 })
      await broker.publish(room, ROOMY, recoverable('last'))
      const head = position?.offset ?? 0
      const follows = live.filter((publication) => (publication.position?.offset ?? 0) > head)
      expect(offsetsOf([...publications, ...follows].slice(0, head))).toEqual(range(1, head))
      expect(offsetsOf(follows)).toEqual(range(head + 1, head + follows.length))
      stop()
    }
    await publishing
  })

  it('hands volatile publications on and stores nothing of them', async () => {
    const { broker, room } = await start(make)
    for (const log of [ROOMY, NO_HISTORY]) {
      const key = `${room}-${log.history === undefined}`
      const listener = await listen(broker, key, log)
      expect(await broker.publish(key, log, volatile(1))).toBeUndefined()
      expect(payloadsOf(await listener.count(1))).toEqual([1])
      const snapshot = await readAs(broker, key, log, { last: 10 })
      expect(snapshot).toMatchObject({ publications: [], latest: [], gap: undefined })
      expect(snapshot.position?.offset).toBe(log.history && 0)
    }
    await broker.publish(`${room}-nobody`, ROOMY, volatile(1))
    expect((await readAs(broker, `${room}-nobody`, ROOMY, { last: 10 })).publications).toEqual([])
  })

  it('refuses every call after it is closed, and delivers nothing more', async () => {
    const { broker, room } = await start(make)
    const listener = await listen(broker, room, ROOMY)
    await broker.publish(room, ROOMY, recoverable(1))
    await listener.count(1)
    await broker.close()
    await broker.close()
    for (const outgoing of [recoverable(2), volatile(2), latest('k', 2)]) {
      await expectRefusal(broker.publish(room, ROOMY, outgoing), 'CLOSED')
    }
    await expectRefusal(readAs(broker, room, ROOMY), 'CLOSED')
    await expectRefusal(
      broker.subscribe(
        room,
        ROOMY,
        subscriberOf(() => {}),
      ),
      'CLOSED',
    )
    listener.stop()
    expect(payloadsOf(listener.received)).toEqual([1])
  })
}
