/** The faults. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { TestCluster } from '../../support/redis-cluster.js'
import { cluster, pair, sentinel, single } from './rigs.js'
import { type Scenario, scenario } from './run.js'

/** A node that was killed is gone for the others, and so are those who were only there. */
const KILLED_MS = 20_000
/** Likewise for one that was stopped. */
const STOPPED_MS = 1000
/** Nobody is out of sight for longer where all that Redis knew is gone, and each node writes its own again. */
const FLUSHED_MS = 2000

const LIVE = '/live'
/** What the keys of a hall have in common. */
const keyOf = (hall: string): string => `ackord:{${LIVE} hall[["id","${hall}"]]}:log`

/** All faults, by the kind of Redis. */
export const scenarios: readonly Scenario[] = [
  scenario(
    'kill-node',
    single,
    { seen: ({ reconnects }) => reconnects > 0 },
    async ({ server, note, gone }) => {
      note('kill -9 of a node')
      await server(0).kill()
      gone(0, KILLED_MS)
      server(0).leadTo(server(1))
      await sleep(3000)
      await server(0).startAgain()
    },
  ),

  scenario('freeze-node', single, { seen: ({ reconnects }) => reconnects > 0 }, async (stage) => {
    const { server, note, gone, leave } = stage
    note('SIGSTOP of a node')
    server(0).freeze()
    server(0).leadTo(server(1))
    await leave(0)
    gone(0, KILLED_MS)
    await sleep(KILLED_MS + 2000)
    note('SIGCONT')
    server(0).resume()
    server(0).leadTo(server(0))
  }),

  scenario('stop-node', single, { seen: ({ acked }) => acked > 0 }, async (stage) => {
    const { server, note, gone } = stage
    note('SIGTERM of a node')
    server(0).leadTo(server(1))
    await server(0).stop()
    gone(0, STOPPED_MS)
    await server(0).startAgain()
  }),

  scenario('kill-pubsub', single, { seen: ({ degraded }) => degraded > 0 }, async ({ note }, { server }) => {
    for (let n = 0; n < 5; n++) {
      const killed = await server.command('client', 'kill', 'type', 'pubsub')
      note(`CLIENT KILL TYPE pubsub: ${killed} connections`)
      await sleep(1000)
    }
  }),

  scenario(
    'flush',
    single,
    { gaps: ['epoch'], loses: true, flickers: FLUSHED_MS, seen: ({ gaps }) => (gaps['epoch'] ?? 0) > 0 },
    async ({ note }, { server }) => {
      note('FLUSHALL')
      await server.command('flushall')
    },
  ),

  scenario('oom', single, { seen: ({ repeated }) => repeated > 0 }, async ({ note }, { server }) => {
    note('no memory left')
    await server.command('config', 'set', 'maxmemory', 1)
    await sleep(3000)
    await server.command('config', 'set', 'maxmemory', 0)
    note('memory again')
  }),

  scenario(
    'cut-redis',
    single,
    { seen: ({ degraded }) => degraded > 0 },
    async ({ note }, { server, links: [link] }) => {
      if (link === undefined) throw new Error('no link')
      note('a node loses its connections to Redis, and gets no new ones')
      // Nobody listens on it.
      link.target = 1
      link.cut()
      await sleep(4000)
      link.target = server.port
      note('it gets new ones')
    },
  ),

  scenario(
    'half-open-clients',
    single,
    { seen: ({ reconnects }) => reconnects > 0 },
    async ({ server, note }) => {
      note('nothing passes between a node and its clients')
      server(0).front.silence()
      await sleep(6000)
      server(0).front.heal()
      note('everything passes')
    },
  ),

  scenario(
    'half-open-redis',
    single,
    { seen: ({ degraded }) => degraded > 0 },
    async ({ note }, { links: [link] }) => {
      note('nothing passes between a node and Redis')
      link?.silence()
      await sleep(8000)
      link?.heal()
      note('everything passes')
    },
  ),

  scenario(
    'half-open-pubsub',
    single,
    { seen: ({ degraded }) => degraded > 0 },
    async ({ note }, { links: [link] }) => {
      note('nothing passes from Redis to a node')
      link?.silence('down')
      await sleep(8000)
      link?.heal()
      note('everything passes')
    },
  ),

  scenario(
    'truncate',
    pair,
    { gaps: ['forked'], loses: true, seen: ({ gaps }) => (gaps['forked'] ?? 0) > 0 },
    async ({ note }, { replica, link, front }) => {
      note('nothing passes between the primary and its replica')
      link.silence()
      await sleep(2000)
      note('the replica takes over')
      await replica.command('replicaof', 'no', 'one')
      front.target = replica.port
      front.cut()
    },
  ),

  ...(['memory', { replicated: 1 }] as const).map((durability) =>
    scenario(
      durability === 'memory' ? 'sentinel-kill' : 'sentinel-kill-replicated',
      sentinel,
      // What is not confirmed may have been heard, and is then gone.
      { durability, gaps: ['forked'], loses: durability === 'memory', seen: ({ degraded }) => degraded > 0 },
      async ({ note }, { group }) => {
        const primary = await group.primary()
        note('kill -9 of the primary')
        await primary.kill()
        await group.promoted(primary)
        note('a replica has taken over')
      },
    ),
  ),

  scenario(
    'cluster-kill',
    cluster,
    { gaps: ['forked'], loses: true, seen: ({ degraded }) => degraded > 0 },
    async ({ note }, { cluster }) => {
      const { master, replica } = await ownerOf(cluster, 'all')
      note('kill -9 of a master')
      await master.process.kill()
      await cluster.promoted(replica)
      note('its replica has taken over')
    },
  ),

  scenario('cluster-reshard', cluster, { seen: ({ acked }) => acked > 0 }, async ({ note }, { cluster }) => {
    const { slot, master } = await ownerOf(cluster, 'all')
    const target = cluster.masters.find((other) => other !== master)
    if (target === undefined) throw new Error('one master only')
    note(`moving slot ${slot}`)
    await cluster.migrate(slot, master, target, () => sleep(2000))
    note('moved')
    await sleep(2000)
    await cluster.migrate(slot, target, master, () => sleep(500))
    note('moved back')
  }),
]

/** The slot of a hall, and who has it as long as nothing was moved. */
async function ownerOf(cluster: TestCluster, hall: string) {
  const [any] = cluster.masters
  const slot = Number(await any?.process.command('cluster', 'keyslot', keyOf(hall)))
  const n = cluster.masters.findLastIndex((_, i) => slot >= Math.floor((i * 16_384) / cluster.masters.length))
  const [master, replica] = [cluster.masters[n], cluster.replicas[n]]
  if (master === undefined || replica === undefined) throw new Error(`nobody has slot ${slot}`)
  return { slot, master, replica }
}
