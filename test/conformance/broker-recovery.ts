import { expect, it } from 'vitest'
import { RECOVERY_BYTES, RECOVERY_MESSAGES } from '../../plugins/rooms/broker.js'
import type { MakeBroker } from './broker.js'
import {
  latest,
  listen,
  offsetsOf,
  payloadsOf,
  positionOf,
  publishAll,
  ROOMY,
  range,
  readAs,
  recoverable,
  start,
  withHistory,
} from './broker-support.js'

/** Which positions continue, which are gaps and why, and what a reader gets. PROTOCOL.md § Recovery. */
export function recoveryConformance(make: MakeBroker): void {
  it('continues from every position that it gave out', async () => {
    const { broker, other, room } = await start(make)
    const empty = positionOf((await readAs(broker, room, ROOMY)).position)
    const given = await publishAll(
      broker,
      room,
      ROOMY,
      range(1, 20).map((n) => recoverable(n)),
    )
    for (const since of [empty, ...given]) {
      const snapshot = await readAs(other, room, ROOMY, { since })
      expect(offsetsOf(snapshot.publications)).toEqual(range(since.offset + 1, 20))
      expect(snapshot.gap).toBeUndefined()
      expect(snapshot.position).toEqual(given.at(-1))
    }
  })

  it('gives the same publications as it delivered', async () => {
    const { broker, room } = await start(make)
    const listener = await listen(broker, room, ROOMY)
    const since = (await readAs(broker, room, ROOMY)).position
    await publishAll(broker, room, ROOMY, [recoverable('é', { except: 'someone' }), recoverable({ a: [1] })])
    expect((await readAs(broker, room, ROOMY, { since })).publications).toEqual(await listener.count(2))
  })

  it('continues from the last trimmed publication and calls the ones before it trimmed', async () => {
    const { broker, room } = await start(make)
    const log = withHistory({ messages: 5 })
    const given = await publishAll(
      broker,
      room,
      log,
      range(1, 20).map((n) => recoverable(n)),
    )
    for (const since of given) {
      const { publications, gap } = await readAs(broker, room, log, { since })
      const lost = since.offset < 15
      expect([since.offset, gap]).toEqual([since.offset, lost ? 'trimmed' : undefined])
      expect(offsetsOf(publications)).toEqual(lost ? [] : range(since.offset + 1, 20))
    }
  })

  it('calls a tag of another history forked: at the head, in the log and just before it', async () => {
    const { broker, room } = await start(make)
    const log = withHistory({ messages: 5 })
    const given = await publishAll(
      broker,
      room,
      log,
      range(1, 20).map((n) => recoverable(n)),
    )
    for (const position of given.slice(14)) {
      for (const tag of [0, position.tag + 1, (given[0]?.tag ?? 0) + 0.5, -1, Number.NaN]) {
        const { publications, gap } = await readAs(broker, room, log, { since: { ...position, tag } })
        expect([position.offset, tag, gap, publications]).toEqual([position.offset, tag, 'forked', []])
      }
    }
  })

  it('calls a place forked where the log never was: ahead of it, before it, between two', async () => {
    const { broker, room } = await start(make)
    const [first, second] = await publishAll(broker, room, ROOMY, [recoverable(1), recoverable(2)])
    const { epoch, tag } = positionOf(second)
    for (const offset of [
      3,
      1000,
      1e15,
      2 ** 53,
      1e300,
      Number.POSITIVE_INFINITY,
      -1,
      -1e15,
      1.5,
      Number.NaN,
    ]) {
      expect([offset, (await readAs(broker, room, ROOMY, { since: { epoch, offset, tag } })).gap]).toEqual([
        offset,
        'forked',
      ])
    }
    expect((await readAs(broker, room, ROOMY, { since: { epoch, offset: 0, tag } })).gap).toBe('forked')
    expect((await readAs(broker, room, ROOMY, { since: { ...positionOf(first), tag } })).gap).toBe('forked')
  })

  it('calls another epoch, another room and a room that was lost epoch', async () => {
    const { broker, room, lose } = await start(make)
    const [here] = await publishAll(broker, room, ROOMY, [recoverable(1)])
    const [there] = await publishAll(broker, `${room}-2`, ROOMY, [recoverable(1)])
    const gapAfter = async (epoch: string) =>
      (await readAs(broker, room, ROOMY, { since: { ...positionOf(here), epoch } })).gap
    expect(await gapAfter(positionOf(here).epoch)).toBeUndefined()
    for (const epoch of [positionOf(there).epoch, '', '0', '__proto__', 'é', `${positionOf(here).epoch} `]) {
      expect([epoch, await gapAfter(epoch)]).toEqual([epoch, 'epoch'])
    }
    expect((await readAs(broker, `${room}-new`, ROOMY, { since: here })).gap).toBe('epoch')
    await lose(room)
    const lost = await readAs(broker, room, ROOMY, { since: here })
    expect([lost.gap, lost.publications, lost.position?.offset]).toEqual(['epoch', [], 0])
  })

  it('tells where the log stands, so that a reader can go on after a gap', async () => {
    const { broker, room } = await start(make)
    const [first] = await publishAll(broker, room, ROOMY, [recoverable(1)])
    const since = { epoch: 'another', offset: 9, tag: 9 }
    const { position } = await readAs(broker, room, ROOMY, { since })
    expect(position).toEqual(first)
    await broker.publish(room, ROOMY, recoverable(2))
    expect(payloadsOf((await readAs(broker, room, ROOMY, { since: position })).publications)).toEqual([2])
  })

  it('replays no more than one recovery may, by number', async () => {
    const { broker, room } = await start(make)
    const since = (await readAs(broker, room, ROOMY)).position
    await Promise.all(range(1, RECOVERY_MESSAGES).map((n) => broker.publish(room, ROOMY, recoverable(n))))
    const full = await readAs(broker, room, ROOMY, { since })
    expect([full.publications.length, full.gap]).toEqual([RECOVERY_MESSAGES, undefined])
    await broker.publish(room, ROOMY, recoverable('one too many'))
    const over = await readAs(broker, room, ROOMY, { since })
    expect([over.publications, over.gap]).toEqual([[], 'tooMany'])
    const newest = await readAs(broker, room, ROOMY, { last: RECOVERY_MESSAGES * 2 })
    expect(offsetsOf(newest.publications)).toEqual(range(2, RECOVERY_MESSAGES + 1))
  })

  it('replays no more than one recovery may, by bytes', async () => {
    const { broker, room } = await start(make)
    const since = (await readAs(broker, room, ROOMY)).position
    const half = { ...recoverable(0), payload: `"${'é'.repeat(RECOVERY_BYTES / 4 - 1)}"` }
    await publishAll(broker, room, ROOMY, [half, half])
    const full = await readAs(broker, room, ROOMY, { since })
    expect([offsetsOf(full.publications), full.gap]).toEqual([[1, 2], undefined])
    await broker.publish(room, ROOMY, recoverable(3))
    expect(await readAs(broker, room, ROOMY, { since })).toMatchObject({ publications: [], gap: 'tooMany' })
    expect(offsetsOf((await readAs(broker, room, ROOMY, { last: 3 })).publications)).toEqual([2, 3])
  })

  it('gives the newest that are asked for, or all there are', async () => {
    const { broker, room } = await start(make)
    await publishAll(
      broker,
      room,
      ROOMY,
      range(1, 10).map((n) => recoverable(n)),
    )
    for (const [last, expected] of [
      [0, []],
      [1, [10]],
      [3, [8, 9, 10]],
      [10, range(1, 10)],
      [50, range(1, 10)],
    ] as const) {
      const { publications, gap } = await readAs(broker, room, ROOMY, { last })
      expect([payloadsOf(publications), gap]).toEqual([expected, undefined])
    }
    expect((await readAs(broker, room, ROOMY)).publications).toEqual([])
    expect((await readAs(broker, `${room}-empty`, ROOMY, { last: 5 })).publications).toEqual([])
  })

  it('goes by `since` where it continues, and by `last` where it does not', async () => {
    const { broker, room } = await start(make)
    const given = await publishAll(
      broker,
      room,
      ROOMY,
      range(1, 10).map((n) => recoverable(n)),
    )
    const since = positionOf(given[6])
    const continued = await readAs(broker, room, ROOMY, { since, last: 5 })
    expect([payloadsOf(continued.publications), continued.gap]).toEqual([[8, 9, 10], undefined])
    const broken = await readAs(broker, room, ROOMY, { since: { ...since, tag: 1 }, last: 2 })
    expect([payloadsOf(broken.publications), broken.gap]).toEqual([[9, 10], 'forked'])
  })

  it('leaves out what is excepted for the session, and does not count it', async () => {
    const { broker, room } = await start(make)
    const since = (await readAs(broker, room, ROOMY)).position
    const given = await publishAll(
      broker,
      room,
      ROOMY,
      range(1, 10).map((n) => recoverable(n, n % 2 === 0 ? { except: 'even' } : {})),
    )
    const asEven = (from: object) => broker.read(room, ROOMY, { session: 'even', ...from })
    expect(payloadsOf((await asEven({ since })).publications)).toEqual([1, 3, 5, 7, 9])
    expect(payloadsOf((await asEven({ last: 2 })).publications)).toEqual([7, 9])
    expect((await asEven({ since })).position).toEqual(given.at(-1))
    // The position of an excepted publication is as good as any other.
    expect(payloadsOf((await asEven({ since: given[3] })).publications)).toEqual([5, 7, 9])
    expect(payloadsOf((await readAs(broker, room, ROOMY, { since })).publications)).toEqual(range(1, 10))
  })

  it('finds nothing missed by a session for which all of it was excepted, however much', async () => {
    const { broker, room } = await start(make)
    const since = (await readAs(broker, room, ROOMY)).position
    const own = range(1, RECOVERY_MESSAGES + 5).map((n) => recoverable(n, { except: 'speaker' }))
    await Promise.all(own.map((outgoing) => broker.publish(room, ROOMY, outgoing)))
    const snapshot = await broker.read(room, ROOMY, { since, session: 'speaker' })
    expect([snapshot.publications, snapshot.gap]).toEqual([[], undefined])
  })

  it('gives the current latest values with every read, but for the session they are excepted for', async () => {
    const { broker, room } = await start(make)
    const [since] = await publishAll(broker, room, ROOMY, [recoverable(1)])
    await broker.publish(room, ROOMY, latest('a', 1))
    await broker.publish(room, ROOMY, latest('b', 2, { except: 'session-b' }))
    for (const from of [{}, { since }, { last: 5 }, { since: { epoch: 'x', offset: 1, tag: 1 } }]) {
      expect(payloadsOf((await readAs(broker, room, ROOMY, from)).latest)).toEqual([1, 2])
      expect(payloadsOf((await broker.read(room, ROOMY, { session: 'session-b', ...from })).latest)).toEqual([
        1,
      ])
    }
  })
}
