import { describe, expect, it } from 'vitest'
import { createClock } from '../../client/testing/clock.js'
import {
  type Broker,
  type Outgoing,
  PUBLISH_ID_SECONDS,
  type Publication,
  type RoomLog,
  type Subscriber,
} from '../../plugins/rooms/broker.js'
import {
  MemoryBroker,
  type MemoryBrokerOptions,
  SLICE_PAUSE,
  SWEEP_INTERVAL,
  SWEEP_SLICE,
} from '../../plugins/rooms/broker-memory.js'
import { IDLE_SECONDS, NESTED_PUBLICATIONS } from '../../plugins/rooms/memory/room.js'

const LOG: RoomLog = { history: { messages: 10, seconds: 300, bytes: 1000 } }
const SHORT: RoomLog = { history: { messages: 10, seconds: 1, bytes: 1000 } }
const NO_LOG: RoomLog = { history: undefined }
const EMPTY = { rooms: 0, entries: 0, ids: 0 }

const recoverable = (payload: string, id?: string): Outgoing => ({
  event: 'posted',
  delivery: 'recoverable',
  payload,
  id,
})
const volatile: Outgoing = { event: 'typing', delivery: 'volatile', payload: '1', id: 'ignored' }
const latest: Outgoing = { event: 'price', delivery: 'latest', payload: '1', latestKey: 'k' }
const ignore = () => {}

/** Subscribes what only wants to be delivered to: a memory broker restarts nothing. */
const listen = (broker: Broker, room: string, log: RoomLog, deliver: Subscriber['deliver']) =>
  broker.subscribe(room, log, { deliver, restart: ignore })

function start(options: Partial<MemoryBrokerOptions> = {}) {
  const clock = createClock()
  const errors: Array<readonly [unknown, string]> = []
  const broker = new MemoryBroker({ clock, onError: (...report) => errors.push(report), ...options })
  const epochOf = async (room: string, log = LOG) =>
    (await broker.read(room, log, { session: 's' })).position?.epoch
  return { clock, errors, broker, epochOf }
}

describe('a publish in memory', () => {
  it('has been delivered when the call returns', () => {
    const { broker } = start()
    const seen: string[] = []
    void listen(broker, 'r', LOG, (publications) => seen.push(...publications.map(({ payload }) => payload)))
    for (const payload of ['1', '2']) void broker.publish('r', LOG, recoverable(payload))
    void broker.publish('r', LOG, { ...volatile, payload: '3' })
    expect(seen).toEqual(['1', '2', '3'])
  })

  it('after a read was called is not in what it reads', async () => {
    const { broker } = start()
    const before = broker.read('r', LOG, { last: 5, session: 's' })
    const position = await broker.publish('r', LOG, recoverable('1'))
    expect(await before).toMatchObject({ position: { offset: 0, epoch: position?.epoch }, publications: [] })
  })

  it('from within a delivery reaches every subscriber after what is being delivered', async () => {
    const { broker } = start()
    const seen: string[][] = [[], []]
    const note = (index: number) => (publications: readonly Publication[]) => {
      for (const { payload } of publications) seen[index]?.push(payload)
    }
    await listen(broker, 'r', LOG, (publications) => {
      note(0)(publications)
      if (publications[0]?.payload === '1') {
        void broker.publish('r', LOG, recoverable('2'))
        void broker.publish('r', LOG, recoverable('3'))
      }
    })
    await listen(broker, 'r', LOG, note(1))
    await broker.publish('r', LOG, recoverable('1'))
    expect(seen).toEqual([
      ['1', '2', '3'],
      ['1', '2', '3'],
    ])
  })

  it('is refused where subscribers publish from within deliveries without end', async () => {
    const { broker } = start()
    const answers: Array<Promise<unknown>> = []
    let delivered = 0
    const stop = await listen(broker, 'r', LOG, () => {
      delivered += 1
      answers.push(broker.publish('r', LOG, volatile))
    })
    await broker.publish('r', LOG, volatile)
    const outcomes = await Promise.allSettled(answers)
    expect(delivered).toBe(NESTED_PUBLICATIONS + 1)
    expect(outcomes.filter(({ status }) => status === 'rejected')).toMatchObject([
      { reason: { code: 'UNAVAILABLE' } },
    ])
    stop()
    expect((await broker.publish('r', LOG, recoverable('1')))?.offset).toBe(1)
  })

  it('reports a throwing subscriber with its room', async () => {
    const { broker, errors } = start()
    const thrown = new Error('no')
    await listen(broker, 'r', LOG, () => {
      throw thrown
    })
    await broker.publish('r', LOG, recoverable('1'))
    expect(errors).toEqual([[thrown, 'r']])
  })

  it('goes to no later subscriber once one has closed the broker', async () => {
    const { broker, clock } = start()
    let later = 0
    await listen(broker, 'r', LOG, () => void broker.close())
    await listen(broker, 'r', LOG, () => {
      later += 1
    })
    expect((await broker.publish('r', LOG, recoverable('1')))?.offset).toBe(1)
    expect([later, broker.stats(), clock.pending]).toEqual([0, EMPTY, 0])
  })

  it('makes its ids and epochs from the randomness handed in', async () => {
    const ids = (prefix: string) => {
      let n = 0
      return () => `${prefix}${++n}`
    }
    const positionFrom = (prefix: string) =>
      start({ randomId: ids(prefix) }).broker.publish('r', LOG, recoverable('1'))
    expect(await positionFrom('a')).toEqual(await positionFrom('a'))
    expect((await positionFrom('b'))?.tag).not.toBe((await positionFrom('a'))?.tag)
    expect((await positionFrom('a'))?.epoch).toBe('a1')
  })
})

describe('a room of the memory broker', () => {
  it('that keeps nothing is gone with its last subscriber, and needs no timer', async () => {
    const { broker, clock } = start()
    const stops = [await listen(broker, 'r', NO_LOG, ignore), await listen(broker, 'r', NO_LOG, ignore)]
    await broker.publish('r', NO_LOG, volatile)
    expect(broker.stats()).toEqual({ rooms: 1, entries: 0, ids: 0 })
    stops[0]?.()
    stops[0]?.()
    expect(broker.stats().rooms).toBe(1)
    stops[1]?.()
    expect([broker.stats(), clock.pending]).toEqual([EMPTY, 0])
  })

  it('is not made by a volatile publication, a refused one, or a read of what is never kept', async () => {
    const { broker, clock } = start()
    for (const log of [LOG, NO_LOG]) await broker.publish('r', log, volatile)
    await expect(broker.publish('r', LOG, recoverable('1'.repeat(1001)))).rejects.toMatchObject({
      code: 'TOO_LARGE',
    })
    await expect(broker.publish('r', NO_LOG, recoverable('1'))).rejects.toMatchObject({ code: 'NO_HISTORY' })
    await broker.read('r', NO_LOG, { last: 5, session: 's' })
    expect([broker.stats(), clock.pending]).toEqual([EMPTY, 0])
  })

  it('expires after the seconds of its history, or the least time if that is longer', async () => {
    for (const [log, seconds] of [
      [LOG, 300],
      [SHORT, IDLE_SECONDS],
      [NO_LOG, IDLE_SECONDS],
    ] as const) {
      const { broker, clock } = start()
      await broker.publish('r', log, log.history === undefined ? latest : recoverable('1'))
      clock.advance(seconds * 1000 - 1)
      expect(broker.stats().rooms).toBe(1)
      clock.advance(SWEEP_INTERVAL + 1)
      expect([broker.stats(), clock.pending]).toEqual([EMPTY, 0])
    }
  })

  it('lives on by being published into, read or left; and as long as it has subscribers', async () => {
    const { broker, clock, epochOf } = start()
    const epoch = await epochOf('r')
    const almost = () => clock.advance(290_000)
    almost()
    await broker.publish('r', LOG, recoverable('1'))
    almost()
    expect(await epochOf('r')).toBe(epoch)
    almost()
    const stop = await listen(broker, 'r', LOG, ignore)
    clock.advance(1_000_000)
    stop()
    almost()
    expect(await epochOf('r')).toBe(epoch)
    clock.advance(400_000)
    expect(broker.stats()).toEqual(EMPTY)
    expect(await epochOf('r')).not.toBe(epoch)
  })

  it('frees what is over-age although nobody publishes or reads', async () => {
    const { broker, clock } = start()
    await listen(broker, 'r', SHORT, ignore)
    for (const n of [1, 2, 3]) await broker.publish('r', SHORT, recoverable(`${n}`, `id-${n}`))
    expect(broker.stats()).toEqual({ rooms: 1, entries: 3, ids: 3 })
    clock.advance(SWEEP_INTERVAL)
    expect(broker.stats()).toEqual({ rooms: 1, entries: 0, ids: 3 })
    clock.advance(3 * PUBLISH_ID_SECONDS * 1000)
    expect(broker.stats()).toEqual({ rooms: 1, entries: 0, ids: 0 })
  })

  it('knows a publish id for its whole time, also without subscribers and with a short history', async () => {
    for (const quietFor of [0, 1, 29_999, 60_000, 119_999]) {
      const { broker, clock } = start()
      await broker.publish('r', SHORT, recoverable('0', 'before'))
      clock.advance(quietFor)
      const first = await broker.publish('r', SHORT, recoverable('1', 'one'))
      clock.advance(PUBLISH_ID_SECONDS * 1000)
      expect(await broker.publish('r', SHORT, recoverable('1', 'one'))).toEqual(first)
      clock.advance(5 * PUBLISH_ID_SECONDS * 1000)
      expect([broker.stats(), clock.pending]).toEqual([EMPTY, 0])
    }
  })

  it('shares one timer with all others', async () => {
    const { broker, clock } = start()
    for (let n = 0; n < 50; n++) await broker.publish(`r${n}`, LOG, recoverable('1'))
    expect([broker.stats().rooms, clock.pending]).toEqual([50, 1])
    clock.advance(SWEEP_INTERVAL)
    expect(clock.pending).toBe(1)
    await broker.close()
    expect([broker.stats(), clock.pending]).toEqual([EMPTY, 0])
  })

  it('is swept although there are more than one turn of the loop sweeps, and although it came meanwhile', async () => {
    const { broker, clock } = start()
    const rooms = 2 * SWEEP_SLICE + 1
    for (let n = 0; n < rooms; n++) await broker.publish(`r${n}`, SHORT, recoverable('1'))
    clock.advance(SWEEP_INTERVAL)
    await broker.publish('late', SHORT, recoverable('1'))
    expect([broker.stats().entries, clock.pending]).toEqual([rooms + 1 - SWEEP_SLICE, 1])
    clock.advance(SLICE_PAUSE)
    expect([broker.stats().entries, clock.pending]).toEqual([rooms + 1 - 2 * SWEEP_SLICE, 1])
    clock.advance(10 * SWEEP_INTERVAL)
    expect([broker.stats(), clock.pending]).toEqual([EMPTY, 0])
  })

  it('that begins to keep something behind the back of the last sweep is swept by a next one', async () => {
    const { broker, clock } = start()
    await listen(broker, 'early', NO_LOG, ignore)
    await broker.publish('only', NO_LOG, latest)
    for (let n = 0; n < SWEEP_SLICE; n++) await listen(broker, `r${n}`, NO_LOG, ignore)
    clock.advance(2 * SWEEP_INTERVAL + SLICE_PAUSE)
    expect([broker.stats().entries, clock.pending]).toEqual([0, 1])
    await broker.publish('early', NO_LOG, latest)
    clock.advance(SLICE_PAUSE)
    expect([broker.stats().entries, clock.pending]).toEqual([1, 1])
  })

  it('that was made anew is not touched by an unsubscribe from the one before', async () => {
    const { broker } = start({ maxRooms: 1 })
    const stopOld = await listen(broker, 'r', LOG, ignore)
    const stopOther = await listen(broker, 'r', LOG, ignore)
    stopOther()
    stopOld()
    await broker.publish('other', LOG, recoverable('1'))
    let delivered = 0
    await listen(broker, 'r', LOG, () => {
      delivered += 1
    })
    stopOld()
    await broker.publish('r', LOG, recoverable('1'))
    expect([delivered, broker.stats().rooms]).toEqual([1, 1])
  })
})

describe('at maxRooms', () => {
  it('the room that was idle for longest makes place', async () => {
    const { broker, clock, epochOf } = start({ maxRooms: 3 })
    const epochs = new Map<string, unknown>()
    for (const room of ['a', 'b', 'c']) epochs.set(room, await epochOf(room))
    clock.advance(1)
    await broker.publish('a', LOG, recoverable('1'))
    const stop = await listen(broker, 'b', LOG, ignore)
    await broker.publish('d', LOG, recoverable('1'))
    stop()
    expect(broker.stats().rooms).toBe(3)
    for (const room of ['a', 'b']) expect([room, await epochOf(room)]).toEqual([room, epochs.get(room)])
    expect(await epochOf('c')).not.toBe(epochs.get('c'))
  })

  it('nothing new is taken where all have subscribers, and nothing else suffers', async () => {
    const { broker } = start({ maxRooms: 2 })
    const seen: string[] = []
    const stop = await listen(broker, 'a', LOG, ([publication]) => seen.push(publication?.payload ?? ''))
    await listen(broker, 'b', NO_LOG, ignore)
    const unavailable = { code: 'UNAVAILABLE', retry: true }
    await expect(listen(broker, 'c', LOG, ignore)).rejects.toMatchObject(unavailable)
    await expect(broker.publish('c', LOG, recoverable('1', 'id'))).rejects.toMatchObject(unavailable)
    await expect(broker.publish('c', NO_LOG, latest)).rejects.toMatchObject(unavailable)
    await expect(broker.read('c', LOG, { session: 's' })).rejects.toMatchObject(unavailable)
    await broker.publish('c', LOG, volatile)
    await broker.publish('a', LOG, recoverable('2'))
    expect([seen, broker.stats()]).toEqual([['2'], { rooms: 2, entries: 1, ids: 0 }])
    stop()
    expect((await broker.publish('c', LOG, recoverable('1', 'id')))?.offset).toBe(1)
  })

  it('what is refused or keeps nothing costs no other room its place', async () => {
    const { broker, epochOf } = start({ maxRooms: 1 })
    const epoch = await epochOf('a')
    await expect(broker.publish('b', LOG, recoverable('1'.repeat(1001)))).rejects.toMatchObject({
      code: 'TOO_LARGE',
    })
    await broker.publish('b', LOG, volatile)
    await broker.read('b', NO_LOG, { session: 's' })
    expect(await epochOf('a')).toBe(epoch)
  })
})
