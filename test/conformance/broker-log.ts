import { expect, it } from 'vitest'
import type { ConformanceOptions, MakeBroker } from './broker.js'
import {
  chainedTag,
  expectRefusal,
  latest,
  listen,
  NO_HISTORY,
  offsetsOf,
  payloadsOf,
  positionOf,
  publishAll,
  ROOMY,
  range,
  readAs,
  recoverable,
  start,
  volatile,
  withHistory,
} from './broker-support.js'

/** What is kept, for how long, and under which positions. */
export function logConformance(make: MakeBroker, { raisesOffset }: ConformanceOptions): void {
  it('counts offsets from 1 and chains the tags of the publish ids', async () => {
    const { broker, room } = await start(make)
    const empty = positionOf((await readAs(broker, room, ROOMY)).position)
    expect(empty).toEqual({ epoch: expect.any(String), offset: 0, tag: 0 })
    let tag = 0
    for (const n of range(1, 5)) {
      const position = await broker.publish(room, ROOMY, recoverable(n, { id: `id-${n}` }))
      tag = chainedTag(tag, `id-${n}`)
      expect(position).toEqual({ epoch: empty.epoch, offset: n, tag })
    }
    expect((await readAs(broker, room, ROOMY)).position).toEqual({ epoch: empty.epoch, offset: 5, tag })
  })

  it('makes publish ids of its own that differ, so that equal publications have different tags', async () => {
    const { broker, room } = await start(make)
    const [one] = await publishAll(broker, `${room}-1`, ROOMY, [recoverable('same')])
    const [two] = await publishAll(broker, `${room}-2`, ROOMY, [recoverable('same')])
    expect(one?.tag).not.toBe(two?.tag)
    expect(one?.epoch).not.toBe(two?.epoch)
  })

  it('answers the first position for a publish id that it knows, on any node, and delivers once', async () => {
    const { broker, other, room } = await start(make)
    const listener = await listen(broker, room, ROOMY)
    const first = await broker.publish(room, ROOMY, recoverable('first', { id: 'one' }))
    await broker.publish(room, ROOMY, recoverable('between', { id: 'two' }))
    expect(await broker.publish(room, ROOMY, recoverable('first', { id: 'one' }))).toEqual(first)
    expect(await other.publish(room, ROOMY, recoverable('first', { id: 'one' }))).toEqual(first)
    expect(payloadsOf(await listener.caughtUp())).toEqual(['first', 'between'])
  })

  it('publishes once when the same id comes many times at once', async () => {
    const { broker, other, room } = await start(make)
    const listener = await listen(broker, room, ROOMY)
    const positions = await Promise.all(
      range(1, 20).map((n) =>
        (n % 2 === 0 ? broker : other).publish(room, ROOMY, recoverable('x', { id: 'same' })),
      ),
    )
    expect(positions.map((position) => position?.offset)).toEqual(Array(20).fill(1))
    expect(payloadsOf(await listener.caughtUp())).toEqual(['x'])
  })

  it('knows publish ids per room', async () => {
    const { broker, room } = await start(make)
    await broker.publish(`${room}-1`, ROOMY, recoverable(1, { id: 'same' }))
    await broker.publish(`${room}-2`, ROOMY, recoverable(2, { id: 'same' }))
    expect(payloadsOf((await readAs(broker, `${room}-2`, ROOMY, { last: 9 })).publications)).toEqual([2])
  })

  it('knows the id of an entry that was trimmed', async () => {
    const { broker, room } = await start(make)
    const log = withHistory({ messages: 1 })
    const first = await broker.publish(room, log, recoverable(1, { id: 'one' }))
    await broker.publish(room, log, recoverable(2))
    expect(await broker.publish(room, log, recoverable(1, { id: 'one' }))).toEqual(first)
    expect(payloadsOf((await readAs(broker, room, log, { last: 9 })).publications)).toEqual([2])
  })

  it('does not let a repeated latest publication replace a newer value', async () => {
    const { broker, room } = await start(make)
    await broker.publish(room, NO_HISTORY, latest('k', 'old', { id: 'one' }))
    await broker.publish(room, NO_HISTORY, latest('k', 'new', { id: 'two' }))
    expect(await broker.publish(room, NO_HISTORY, latest('k', 'old', { id: 'one' }))).toBeUndefined()
    expect(payloadsOf((await readAs(broker, room, NO_HISTORY)).latest)).toEqual(['new'])
  })

  it('ignores the publish id of a volatile publication', async () => {
    const { broker, room } = await start(make)
    const listener = await listen(broker, room, ROOMY)
    for (const n of [1, 2]) await broker.publish(room, ROOMY, volatile(n, { id: 'same' }))
    await broker.publish(room, ROOMY, recoverable(3, { id: 'same' }))
    await listener.count(3)
    expect(payloadsOf(listener.received)).toEqual([1, 2, 3])
  })

  it('keeps no more publications than its history says', async () => {
    const { broker, room } = await start(make)
    const log = withHistory({ messages: 3 })
    await publishAll(
      broker,
      room,
      log,
      range(1, 10).map((n) => recoverable(n)),
    )
    expect(payloadsOf((await readAs(broker, room, log, { last: 100 })).publications)).toEqual([8, 9, 10])
  })

  it('keeps as many bytes of UTF-8 as its history says, exactly', async () => {
    const { broker, room } = await start(make)
    const log = withHistory({ bytes: 30 })
    // With its quotes each payload has 10 bytes: "éééé" as "12345678".
    await publishAll(
      broker,
      room,
      log,
      ['éééé', '12345678', '🚀🚀'].map((text) => recoverable(text)),
    )
    const kept = async () => payloadsOf((await readAs(broker, room, log, { last: 100 })).publications)
    expect(await kept()).toEqual(['éééé', '12345678', '🚀🚀'])
    await broker.publish(room, log, recoverable(''))
    expect(await kept()).toEqual(['12345678', '🚀🚀', ''])
    await broker.publish(room, log, recoverable('x'.repeat(28)))
    expect(await kept()).toEqual(['x'.repeat(28)])
  })

  it('refuses a payload that alone is above the bound of bytes, and loses nothing', async () => {
    const { broker, room } = await start(make)
    const log = withHistory({ bytes: 10 })
    const listener = await listen(broker, room, log)
    const [position] = await publishAll(broker, room, log, [recoverable('12345678')])
    await expectRefusal(broker.publish(room, log, recoverable('123456789', { id: 'one' })), 'TOO_LARGE')
    await expectRefusal(broker.publish(room, log, recoverable('ééééé')), 'TOO_LARGE')
    expect(await readAs(broker, room, log, { last: 9 })).toMatchObject({
      position,
      publications: [{ position }],
    })
    expect(await listener.count(1)).toHaveLength(1)
    // Nothing was kept under the refused id either.
    expect((await broker.publish(room, log, recoverable('1', { id: 'one' })))?.offset).toBe(2)
  })

  it('shows no publication that is older than its history says, and keeps the head', async () => {
    const { broker, room, pass } = await start(make)
    const log = withHistory({ seconds: 1 })
    const [first] = await publishAll(broker, room, log, [recoverable(1)])
    await pass(600)
    const [second] = await publishAll(broker, room, log, [recoverable(2)])
    await pass(600)
    expect(await readAs(broker, room, log, { last: 9 })).toMatchObject({
      position: second,
      publications: [{ payload: '2' }],
    })
    expect(await readAs(broker, room, log, { since: first })).toMatchObject({
      publications: [{ payload: '2' }],
      gap: undefined,
    })
    await pass(600)
    expect(await readAs(broker, room, log, { since: first })).toMatchObject({
      publications: [],
      gap: 'trimmed',
    })
    expect(await readAs(broker, room, log, { since: second })).toMatchObject({
      position: second,
      gap: undefined,
    })
    expect(offsetsOf((await listenOnce(broker, room, log)).received)).toEqual([3])
  })

  it('has neither log nor positions without history', async () => {
    const { broker, room } = await start(make)
    await expectRefusal(broker.publish(room, NO_HISTORY, recoverable(1)), 'NO_HISTORY')
    const since = { epoch: 'e', offset: 1, tag: 1 }
    expect(await readAs(broker, room, NO_HISTORY, { last: 5 })).toEqual({ publications: [], latest: [] })
    expect((await readAs(broker, room, NO_HISTORY, { since })).gap).toBe('epoch')
  })

  it('keeps the newest latest value per event and key', async () => {
    const { broker, room } = await start(make)
    for (const log of [ROOMY, NO_HISTORY]) {
      const key = `${room}-${log.history === undefined}`
      for (const [name, value] of [
        ['a', 1],
        ['b', 2],
        ['a', 3],
        ['', 4],
        [undefined, 5],
      ] as const) {
        await broker.publish(key, log, latest(name, value))
      }
      await broker.publish(key, log, latest('a', 6, { event: 'topic' }))
      // An event and a key that read like another pair are not that pair.
      await broker.publish(key, log, latest('c', 7, { event: 'x:b' }))
      await broker.publish(key, log, latest('b:c', 8, { event: 'x' }))
      const snapshot = await readAs(broker, key, log, { last: 9 })
      expect(snapshot.publications).toEqual([])
      expect(
        snapshot.latest.map(({ event, latestKey, payload }) => [event, latestKey ?? '', payload]),
      ).toEqual([
        ['price', 'b', '2'],
        ['price', 'a', '3'],
        ['price', '', '5'],
        ['topic', 'a', '6'],
        ['x:b', 'c', '7'],
        ['x', 'b:c', '8'],
      ])
      expect(snapshot.latest.every(({ position }) => position === undefined)).toBe(true)
    }
  })

  it('starts a new epoch after a room was lost', async () => {
    const { broker, room, lose } = await start(make)
    const [before] = await publishAll(broker, room, ROOMY, [recoverable(1, { id: 'one' })])
    await lose(room)
    const [after] = await publishAll(broker, room, ROOMY, [recoverable(1, { id: 'one' })])
    expect(after?.offset).toBe(1)
    expect(after?.epoch).not.toBe(before?.epoch)
  })

  it('keeps 10,000 publications and reads any part of them', async () => {
    const { broker, room } = await start(make)
    const log = withHistory({ messages: 10_000 })
    const positions = (
      await Promise.all(range(1, 10_001).map((n) => broker.publish(room, log, recoverable(n))))
    ).map(positionOf)
    expect(positions.map(({ offset }) => offset)).toEqual(range(1, 10_001))
    expect(new Set(positions.map(({ tag }) => tag)).size).toBe(10_001)
    const since = async (offset: number) => readAs(broker, room, log, { since: positions[offset - 1] })
    expect(payloadsOf((await since(9_001)).publications)).toEqual(range(9_002, 10_001))
    expect((await since(9_000)).gap).toBe('tooMany')
    expect((await since(1)).gap).toBe('tooMany')
    const empty = { epoch: positions[0]?.epoch ?? '', offset: 0, tag: 0 }
    expect((await readAs(broker, room, log, { since: empty })).gap).toBe('trimmed')
    expect((await readAs(broker, room, log, { last: 3 })).publications).toHaveLength(3)
  })

  if (raisesOffset) {
    it('keeps offsets exact beyond 1e14', async () => {
      const { broker, room, raiseOffset } = await start(make)
      await publishAll(broker, room, ROOMY, [recoverable(0)])
      await raiseOffset?.(room, 10 ** 14 + 1)
      const positions = await publishAll(broker, room, ROOMY, [
        recoverable(1),
        recoverable(2),
        recoverable(3),
      ])
      expect(positions.map(({ offset }) => offset)).toEqual([10 ** 14 + 2, 10 ** 14 + 3, 10 ** 14 + 4])
      const { publications, gap } = await readAs(broker, room, ROOMY, { since: positions[0] })
      expect([offsetsOf(publications), gap]).toEqual([[10 ** 14 + 3, 10 ** 14 + 4], undefined])
    })
  }
}

/** Publishes one more, and gives who saw it. */
async function listenOnce(...[broker, room, log]: Parameters<typeof listen>) {
  const listener = await listen(broker, room, log)
  await broker.publish(room, log, recoverable('one more'))
  await listener.count(1)
  listener.stop()
  return listener
}
