import { expect, it, vi } from 'vitest'
import type { Publication } from '../../plugins/rooms/broker.js'
import { until } from '../support/until.js'
import type { BrokerSetup, MakeBroker } from './broker.js'
import {
  latest,
  listen,
  offsetsOf,
  payloadsOf,
  publishAll,
  ROOMY,
  range,
  readAs,
  recoverable,
  start,
  withHistory,
} from './broker-support.js'

/** What subscribers see of messages that did not come, and of logs that are not what they were. PROTOCOL.md § Recovery. */
export function healingConformance(make: MakeBroker): void {
  it('delivers in order and once what was published while it could not hear, and nobody is restarted', async () => {
    const { broker, other, room, deafen } = await healing(make)
    const here = await listen(broker, room, ROOMY)
    const there = await listen(other, room, ROOMY)
    const count = 400
    for (const n of range(1, count)) {
      await other.publish(room, ROOMY, recoverable(n))
      if (n % 100 === 50) await deafen()
    }
    for (const listener of [here, there]) {
      await listener.count(count)
      expect(offsetsOf(listener.received)).toEqual(range(1, count))
      expect(payloadsOf(listener.received)).toEqual(range(1, count))
      expect(listener.restarts).toEqual([])
    }
  })

  it('delivers the newest latest values that it could not hear, and none twice or in another order', async () => {
    const { broker, other, room, deafen } = await healing(make)
    const listener = await listen(broker, room, ROOMY)
    await other.publish(room, ROOMY, latest('k', 0))
    await listener.count(1)
    for (const n of range(1, 100)) {
      await other.publish(room, ROOMY, latest('k', n))
      if (n === 50) await deafen()
    }
    const isNewest = ({ event, payload }: Publication): boolean => event === 'price' && payload === '100'
    await until(() => listener.received.some(isNewest))
    const values = listener.received
      .filter(({ event }) => event === 'price')
      .map(({ payload }) => Number(payload))
    expect(values.at(-1)).toBe(100)
    expect(values).toEqual([...new Set(values)].sort((one, next) => one - next))
    expect(listener.restarts).toEqual([])
  })

  it('serves who subscribes and reads while nobody hears', async () => {
    const { broker, other, room, deafen } = await healing(make)
    const publishing = (async () => {
      for (const n of range(1, 200)) await other.publish(room, ROOMY, recoverable(n))
    })()
    for (let round = 0; round < 4; round++) {
      await deafen()
      const listener = await eventually(() => listen(broker, room, ROOMY))
      const { position, publications } = await eventually(() => readAs(broker, room, ROOMY, { last: 1000 }))
      const head = position?.offset ?? 0
      const end = await other.publish(room, ROOMY, recoverable('end'))
      await listener.count(1)
      const follows = listener.received.filter((each) => (each.position?.offset ?? 0) > head)
      expect(offsetsOf(publications)).toEqual(range(1, head))
      expect(offsetsOf(follows)).toEqual(range(head + 1, head + follows.length))
      expect(end?.offset).toBeGreaterThan(head)
      listener.stop()
    }
    await publishing
  })

  it('restarts, forked, where the log has lost its newest and goes on without them', async () => {
    const { broker, other, room, keep } = await healing(make)
    const here = await listen(broker, room, ROOMY)
    const there = await listen(other, room, ROOMY)
    await publishAll(broker, room, ROOMY, [recoverable(1), recoverable(2), recoverable(3)])
    const putBack = await keep(room)
    const [lost] = await publishAll(broker, room, ROOMY, [recoverable('lost'), recoverable('lost too')])
    await here.count(5)
    await there.count(5)
    await putBack()
    const [instead] = await publishAll(other, room, ROOMY, [recoverable('instead'), recoverable('after')])
    expect([instead?.offset, instead?.epoch]).toEqual([lost?.offset, lost?.epoch])
    expect(instead?.tag).not.toBe(lost?.tag)
    for (const listener of [here, there]) {
      const [restart] = await listener.restarted(1)
      expect([restart?.gap, restart?.received]).toEqual(['forked', 5])
      await publishAll(broker, room, ROOMY, [recoverable('end')])
      const since = restart?.position?.offset ?? 0
      await listener.count(6)
      expect(offsetsOf(listener.received.slice(5))).toEqual(
        range(since + 1, since + listener.received.length - 5),
      )
      expect(listener.restarts).toHaveLength(1)
    }
    expect((await readAs(broker, room, ROOMY, { since: lost })).gap).toBe('forked')
  })

  it('restarts, epoch, where the room was lost under its subscribers, and gives the current values', async () => {
    const { broker, other, room, lose } = await healing(make)
    const listener = await listen(broker, room, ROOMY)
    await publishAll(broker, room, ROOMY, [recoverable(1), recoverable(2), recoverable(3)])
    await listener.count(3)
    await lose(room)
    await other.publish(room, ROOMY, latest('k', 'value'))
    const [restart] = await listener.restarted(1)
    expect(restart).toMatchObject({ gap: 'epoch', received: 3 })
    expect(restart?.position?.offset).toBe(0)
    await other.publish(room, ROOMY, recoverable('again'))
    await listener.count(5)
    expect(payloadsOf(listener.received.slice(3))).toEqual(['value', 'again'])
    expect(offsetsOf(listener.received.slice(4))).toEqual([1])
  })

  it('is never silent where it could not hear and the log kept too little of it', async () => {
    const { broker, other, room, deafen } = await healing(make)
    const log = withHistory({ messages: 5 })
    const listener = await listen(broker, room, log)
    await deafen()
    await Promise.all(range(1, 300).map((n) => other.publish(room, log, recoverable(n))))
    await deafen()
    const end = await other.publish(room, log, recoverable('end'))
    const endsAt = (): boolean =>
      listener.received.at(-1)?.position?.offset === end?.offset ||
      listener.restarts.at(-1)?.position?.offset === end?.offset
    await until(endsAt)
    let at = 0
    for (const [index, { position }] of listener.received.entries()) {
      const restart = listener.restarts.filter(({ received }) => received === index).at(-1)
      expect(position?.offset).toBe((restart?.position?.offset ?? at) + 1)
      at = position?.offset ?? 0
    }
    for (const { gap } of listener.restarts) expect(gap).toBe('trimmed')
  })
}

interface Healing extends BrokerSetup {
  readonly room: string
  deafen(): Promise<void>
  keep(room: string): Promise<() => Promise<void>>
}

async function healing(make: MakeBroker): Promise<Healing> {
  const { deafen, keep, ...setup } = await start(make)
  if (deafen === undefined || keep === undefined)
    throw new Error('A setup that heals has `deafen` and `keep`')
  return { ...setup, deafen, keep }
}

/** Tries again while it rejects; longer than any test may take. */
const eventually = <T>(attempt: () => Promise<T>): Promise<T> =>
  vi.waitFor(attempt, { timeout: 60_000, interval: 20 })
