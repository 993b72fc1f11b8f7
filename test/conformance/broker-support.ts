import { createHash, randomUUID } from 'node:crypto'
import { expect, onTestFinished } from 'vitest'
import {
  type Broker,
  BrokerError,
  type BrokerErrorCode,
  type GapReason,
  type Outgoing,
  type Position,
  type Publication,
  type ReadFrom,
  type RoomLog,
  type Subscriber,
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
export async function readAs(broker: Broker, room: string, log: RoomLog, from: Partial<ReadFrom> = {}) {
  const snapshot = await broker.read(room, log, { session: 'reader', ...from })
  return {
    ...snapshot,
    publications: snapshot.publications.map(plain),
    latest: snapshot.latest.map(plain),
  }
}

export async function expectRefusal(promise: Promise<unknown>, code: BrokerErrorCode): Promise<void> {
  const error: unknown = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  expect(error).toBeInstanceOf(BrokerError)
  expect(error).toMatchObject({ code, retry: code === 'UNAVAILABLE' })
}

/** A subscriber that nothing is restarted for: where it is, that is reported as thrown. */
export const subscriberOf = (deliver: Subscriber['deliver']): Subscriber => ({
  deliver,
  restart(position, gap) {
    throw new Error(`Restarted at ${position?.offset}: ${gap}`)
  },
})

/** A publication without the bytes that some brokers carry with it, to compare. */
export const plain = ({
  event,
  delivery,
  payload,
  latestKey,
  except,
  position,
}: Publication): Publication => ({ event, delivery, payload, latestKey, except, position })

/** A restart of a subscription. */
export interface Restart {
  readonly position: Position | undefined
  readonly gap: GapReason
  readonly received: number
}

/** A subscription that keeps what it gets. */
export interface Listener {
  readonly received: Publication[]
  /** How often it was restarted: why, where it goes on, and how many it had received. */
  readonly restarts: Restart[]
  /** Resolves with the restarts once there are this many; rejects if they do not come. */
  restarted(expected: number): Promise<readonly Restart[]>
  /** Resolves with all once there are this many; rejects if they do not come. */
  count(expected: number): Promise<readonly Publication[]>
  /** Resolves once all that was published before has been delivered. */
  caughtUp(): Promise<readonly Publication[]>
  stop(): void
}

export async function listen(broker: Broker, room: string, log: RoomLog): Promise<Listener> {
  const received: Publication[] = []
  const waiters = new Waiters()
  const restarts: Restart[] = []
  const stop = await broker.subscribe(room, log, {
    deliver(publications) {
      received.push(...publications.map(plain))
      waiters.wake()
    },
    restart(position, gap) {
      restarts.push({ position, gap, received: received.length })
      waiters.wake()
    },
  })
  const until = (met: () => boolean, awaited: string): Promise<readonly Publication[]> =>
    waiters.until(
      () => (met() ? received : undefined),
      awaited,
      () => `Got ${received.length} publications`,
    )
  return {
    received,
    restarts,
    stop,
    restarted: (expected) =>
      waiters.until(
        () => (restarts.length >= expected ? restarts : undefined),
        `${expected} restarts`,
        () => `There were ${restarts.length}, and ${received.length} publications`,
      ),
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
