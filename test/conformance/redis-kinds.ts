/** The broker's suite on the kinds of Redis that take long to start: called by the fault tests. */
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import type { RoomLog } from '../../plugins/rooms/broker.js'
import { startCluster, type TestCluster } from '../support/redis-cluster.js'
import { startSentinel, type TestSentinel } from '../support/redis-sentinel.js'
import type { BrokerSetup, ConformanceOptions } from './broker.js'
import { brokerConformance } from './broker.js'
import { ROOMY, range, recoverable, start } from './broker-support.js'
import { redisSetup } from './redis-setup.js'

const OPTIONS: ConformanceOptions = { raisesOffset: true, heals: true }
/** Milliseconds for the servers to find each other. */
const START_MS = 60_000

/** Declares the suite on a primary with a replica under three Sentinels. */
export function sentinelConformance(): void {
  describe('under Sentinel', () => {
    let group: TestSentinel | undefined
    beforeAll(async () => {
      group = await startSentinel()
    }, START_MS)
    afterAll(() => group?.remove())
    const make = (): Promise<BrokerSetup> => connected(group?.client())
    brokerConformance('redis under Sentinel', make, OPTIONS)
    it('has publications replicated where that is asked for', () => expectReplicated(make))
  })
}

/** Declares the suite on a Cluster of three masters with a replica each. */
export function clusterConformance(): void {
  describe('on a Cluster', () => {
    let cluster: TestCluster | undefined
    beforeAll(async () => {
      cluster = await startCluster(3, { replicas: true })
    }, START_MS)
    afterAll(() => cluster?.remove())
    const make = (): Promise<BrokerSetup> => connected(cluster?.client())
    brokerConformance('redis cluster', make, OPTIONS)
    it('has publications replicated where that is asked for, on every master', () => expectReplicated(make))
  })
}

async function connected(client: Parameters<typeof redisSetup>[0] | undefined): Promise<BrokerSetup> {
  if (client === undefined) throw new Error('It has not started')
  onTestFinished(() => client.disconnect())
  await client.connect()
  return redisSetup(client)
}

async function expectReplicated(make: () => Promise<BrokerSetup>): Promise<void> {
  const { broker, room, errors } = await start(make)
  const publish = (log: RoomLog, n: number) => broker.publish(`${room} ${n}`, log, recoverable(n))
  const one = await Promise.all(range(1, 50).map((n) => publish({ ...ROOMY, replicas: 1 }, n)))
  expect(one.map((position) => position?.offset)).toEqual(Array(50).fill(1))
  const two = await Promise.allSettled(range(1, 20).map((n) => publish({ ...ROOMY, replicas: 2 }, n)))
  for (const outcome of two)
    expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'UNAVAILABLE' } })
  expect(errors).toEqual([])
}
