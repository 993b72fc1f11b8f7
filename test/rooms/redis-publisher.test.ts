import { describe, expect, it } from 'vitest'
import { BrokerError, type Outgoing } from '../../plugins/rooms/broker.js'
import {
  type Outcome,
  PENDING_BYTES,
  PENDING_BYTES_IN_ALL,
  PENDING_PUBLICATIONS,
  Publisher,
} from '../../plugins/rooms/redis/publisher.js'
import { ROOMY, range, recoverable } from '../conformance/broker-support.js'

/** A publisher whose batches a test answers. */
function start() {
  const batches: Array<{
    readonly room: string
    readonly payloads: unknown[]
    answer(outcomes?: readonly Outcome[]): void
    fail(error: Error): void
  }> = []
  const publisher = new Publisher(
    (room, _log, batch) =>
      new Promise((resolve, reject) => {
        batches.push({
          room,
          payloads: batch.map(({ payload }): unknown => JSON.parse(payload)),
          answer: (outcomes = batch.map(() => undefined)) => resolve(outcomes),
          fail: reject,
        })
      }),
  )
  const publish = (room: string, outgoing: Outgoing) => publisher.publish(room, ROOMY, outgoing)
  return { publisher, batches, publish }
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
const position = (offset: number) => ({ epoch: 'e', offset, tag: offset })

describe('what a node publishes in a room', () => {
  it('in one turn is one batch, and what comes while that is under way the next', async () => {
    const { publish, batches } = start()
    const first = [publish('a', recoverable(1)), publish('a', recoverable(2)), publish('b', recoverable(3))]
    expect(batches).toEqual([])
    await turn()
    expect(batches.map(({ room, payloads }) => [room, payloads])).toEqual([
      ['a', [1, 2]],
      ['b', [3]],
    ])
    const second = [publish('a', recoverable(4)), publish('a', recoverable(5))]
    await turn()
    expect(batches).toHaveLength(2)
    batches[0]?.answer([position(1), position(2)])
    batches[1]?.answer([position(1)])
    expect(await Promise.all(first)).toEqual([position(1), position(2), position(1)])
    await turn()
    expect(batches[2]).toMatchObject({ room: 'a', payloads: [4, 5] })
    batches[2]?.answer()
    expect(await Promise.all(second)).toEqual([undefined, undefined])
  })

  it('is answered one by one, also where one is refused or the whole batch fails', async () => {
    const { publish, batches } = start()
    const tooLarge = new BrokerError('TOO_LARGE', 'no')
    const outcomes = Promise.allSettled([publish('a', recoverable(1)), publish('a', recoverable(2))])
    await turn()
    batches[0]?.answer([tooLarge, position(1)])
    expect(await outcomes).toEqual([
      { status: 'rejected', reason: tooLarge },
      { status: 'fulfilled', value: position(1) },
    ])
    const failing = Promise.allSettled([publish('a', recoverable(3)), publish('a', recoverable(4))])
    await turn()
    const away = new Error('away')
    batches[1]?.fail(away)
    expect((await failing).map((outcome) => outcome.status === 'rejected' && outcome.reason)).toEqual([
      away,
      away,
    ])
    const next = publish('a', recoverable(5))
    await turn()
    batches[2]?.answer([position(2)])
    expect(await next).toEqual(position(2))
  })

  it('goes in batches that Redis is done with soon', async () => {
    const { publish, batches } = start()
    const all = range(1, 1000).map((n) => publish('a', recoverable(n)))
    for (let i = 0; i < 4; i++) {
      await turn()
      expect(batches[i]?.payloads.length).toBeLessThanOrEqual(256)
      batches[i]?.answer()
    }
    await Promise.all(all)
    const large = range(1, 3).map(() => publish('a', recoverable('x'.repeat(200_000))))
    for (let i = 4; i < 7; i++) {
      await turn()
      expect(batches[i]?.payloads).toHaveLength(1)
      batches[i]?.answer()
    }
    await Promise.all(large)
  })

  it('is UNAVAILABLE beyond what may wait, and taken again when that is gone', async () => {
    const { publish, batches } = start()
    const waiting = range(1, PENDING_PUBLICATIONS).map((n) => publish('a', recoverable(n)))
    const refused = { code: 'UNAVAILABLE', retry: true }
    await expect(publish('a', recoverable('one more'))).rejects.toMatchObject(refused)
    const other = publish('b', recoverable('x'.repeat(PENDING_BYTES * 2)))
    await expect(publish('b', recoverable(1))).rejects.toMatchObject(refused)
    await turn()
    const next = publish('a', recoverable('taken'))
    for (let i = 0; i < batches.length; i++) {
      batches[i]?.answer()
      await turn()
    }
    await Promise.all([...waiting, other, next])
  })

  it('is no more in all rooms than the bound, what is under way included', async () => {
    const { publish, batches } = start()
    const payload = 'x'.repeat(PENDING_BYTES - 2)
    const rooms = range(1, PENDING_BYTES_IN_ALL / PENDING_BYTES)
    const all = rooms.map((n) => publish(`room ${n}`, recoverable(payload)))
    await turn()
    expect(batches).toHaveLength(rooms.length)
    await expect(publish('another', recoverable(1))).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    batches[0]?.answer()
    await all[0]
    await turn()
    const next = publish('another', recoverable(1))
    await turn()
    for (const batch of batches) batch.answer()
    await Promise.all([...all, next])
  })

  it('is CLOSED after the end, what waited too; what was under way is still answered', async () => {
    const { publish, publisher, batches } = start()
    const underWay = publish('a', recoverable(1))
    await turn()
    const waiting = publish('a', recoverable(2))
    publisher.close()
    await expect(waiting).rejects.toMatchObject({ code: 'CLOSED' })
    await expect(publish('a', recoverable(3))).rejects.toMatchObject({ code: 'CLOSED' })
    batches[0]?.answer([position(1)])
    expect(await underWay).toEqual(position(1))
    await turn()
    expect(batches).toHaveLength(1)
  })
})
