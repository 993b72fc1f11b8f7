import { createHash, randomUUID } from 'node:crypto'
import { expect, onTestFinished } from 'vitest'
import {
  type Broker,
  BrokerError,
  type BrokerErrorCode,
  type Outgoing,
  type Position,
  type Publication,
  type ReadFrom,
  type RoomLog,
} from '../../plugins/rooms/broker.js'
import { Waiters } from '../support/waiters.js'
import type { BrokerSetup, MakeBroker } from './broker.js'

/** A room whose history is never the matter of the test. */
export const ROOMY: RoomLog = { history: { messages: 100_000, seconds: 600, bytes: 16_777_216 } }
export const NO_HISTORY: RoomLog = { history: undefined }

/** A room with a history of these bounds. */
export const withHistory = (bounds: Partial<NonNullable<RoomLog['history']>>): RoomLog => ({
  history: { messages: 100_000, seconds: 600, bytes: 16_777_216, ...bounds },
})

export const recoverable = (payload: unknown, more: Partial<Outgoing> = {}): Outgoing => ({
  event: 'posted',
  delivery: 'recoverable',
  payload: JSON.stringify(payload),
  ...more,
})
export const volatile = (payload: unknown, more: Partial<Outgoing> = {}): Outgoing => ({
  ...recoverable(payload, more),
  event: 'typing',
  delivery: 'volatile',
})
export const latest = (
  key: string | undefined,
  payload: unknown,
  more: Partial<Outgoing> = {},
): Outgoing => ({
  event: 'price',
  delivery: 'latest',
  payload: JSON.stringify(payload),
  latestKey: key,
  ...more,
})

/** The tag after `previous`, computed apart from the code under test. */
export const chainedTag = (previous: number, id: string): number =>
  createHash('sha1').update(`${previous}:${id}`).digest().readUIntBE(0, 6)

export const payloadsOf = (publications: readonly Publication[]): unknown[] =>
  publications.map((publication): unknown => JSON.parse(publication.payload))
export const offsetsOf = (publications: readonly Publication[]): Array<number | undefined> =>
  publications.map((publication) => publication.position?.offset)
/** The whole numbers from `from` to `to`. */
export const range = (from: number, to: number): number[] =>
  Array.from({ length: Math.max(0, to - from + 1) }, (_, index) => from + index)

/** A setup that ends with the test, and a room of its own. */
export async function start(make: MakeBroker): Promise<BrokerSetup & { readonly room: string }> {
  const setup = await make()
  onTestFinished(() => setup.stop())
  return { ...setup, room: `room-${randomUUID()}` }
}

/** Publishes in order, one after the other; the position of each. */
export async function publishAll(
  broker: Broker,
  room: string,
  log: RoomLog,
  outgoing: readonly Outgoing[],
): Promise<Position[]> {
  const positions: Position[] = []
  for (const one of outgoing) positions.push(positionOf(await broker.publish(room, log, one)))
  return positions
}

/** What must be a position, as one. */
export function positionOf(position: Position | undefined): Position {
  if (position === undefined) throw new Error('No position where one was due')
  return position
}

/** Reads as a session that nothing is excepted for. */
export const readAs = (broker: Broker, room: string, log: RoomLog, from: Partial<ReadFrom> = {}) =>
  broker.read(room, log, { session: 'reader', ...from })

export async function expectRefusal(promise: Promise<unknown>, code: BrokerErrorCode): Promise<void> {
  const error: unknown = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  expect(error).toBeInstanceOf(BrokerError)
  expect(error).toMatchObject({ code, retry: code === 'UNAVAILABLE' })
}

/** A subscription that keeps what it gets. */
export interface Listener {
  readonly received: Publication[]
  /** Resolves with all once there are this many; rejects if they do not come. */
  count(expected: number): Promise<readonly Publication[]>
  /** Resolves once all that was published before has been delivered. */
  caughtUp(): Promise<readonly Publication[]>
  stop(): void
}

export async function listen(broker: Broker, room: string, log: RoomLog): Promise<Listener> {
  const received: Publication[] = []
  const waiters = new Waiters()
  const stop = await broker.subscribe(room, log, (publications) => {
    received.push(...publications)
    waiters.wake()
  })
  const until = (met: () => boolean, awaited: string): Promise<readonly Publication[]> =>
    waiters.until(
      () => (met() ? received : undefined),
      awaited,
      () => `Got ${received.length} publications`,
    )
  return {
    received,
    stop,
    count: (expected) => until(() => received.length >= expected, `${expected} publications`),
    async caughtUp() {
      // Each delivery class has its own order: one fence for each that the room can carry.
      const mark = JSON.stringify(randomUUID())
      const fences = [volatile(0)]
      if (log.history !== undefined) fences.push(recoverable(0))
      for (const fence of fences) {
        await broker.publish(room, log, { ...fence, event: 'fence', payload: mark })
      }
      await until(
        () => received.filter(({ payload }) => payload === mark).length === fences.length,
        'the fence',
      )
      return received.filter(({ event }) => event !== 'fence')
    },
  }
}
