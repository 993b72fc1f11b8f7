/**
 * One node: serves the contract until SIGTERM, then closes its app and ends. Its parent is told `{ port }` when it listens.
 * Its one argument is a `NodeSpec` as JSON.
 */
import type { AddressInfo } from 'node:net'
import Fastify from 'fastify'
import { Cluster, Redis } from 'ioredis'
import {
  ackord,
  BrokerError,
  type Durability,
  namespace,
  type Position,
  refuseCall,
} from '../../../plugins/index.js'
import { contract } from './contract.js'

/** Where a node's Redis is. */
export type RedisSpec =
  | { readonly kind: 'single'; readonly port: number }
  | { readonly kind: 'sentinel'; readonly ports: readonly number[]; readonly name: string }
  | { readonly kind: 'cluster'; readonly ports: readonly number[] }

/** What a node is told. */
export interface NodeSpec {
  /** 0: any. */
  readonly port: number
  readonly redis: RedisSpec
  readonly durability: Durability
}

function connect(spec: RedisSpec): Redis | Cluster {
  const host = '127.0.0.1'
  if (spec.kind === 'single') return new Redis(spec.port, host, { lazyConnect: true })
  const servers = spec.ports.map((port) => ({ host, port }))
  if (spec.kind === 'cluster') return new Cluster(servers, { lazyConnect: true })
  return new Redis({ sentinels: servers, name: spec.name, lazyConnect: true })
}

/** What was not kept, and may be repeated, is not this server's fault. */
async function kept(publish: Promise<Position | undefined>): Promise<Position> {
  const position = await publish.catch((error: unknown) => {
    if (error instanceof BrokerError && error.retry) throw refuseCall('UNAVAILABLE')
    throw error
  })
  return position ?? { epoch: '', offset: 0, tag: 0 }
}

const { port, redis, durability } = JSON.parse(process.argv[2] ?? '') as NodeSpec
const client = connect(redis)
client.on('error', () => {})

const live = namespace(contract, { path: '/live', authenticate: ({ token }) => ({ id: token }) })
const app = Fastify({ logger: { level: process.env['FAULTS_LOG'] ?? 'error', stream: process.stderr } })
await app.register(ackord, {
  redis: client,
  durability,
  grace: 2000,
  heartbeat: 1000,
  // The machine is busy, and all clients are of one address: neither is what is looked at.
  maxLag: 60_000,
  maxConnectionsPerAddress: 10_000,
})
await app.register(
  live.plugin({
    calls: {
      say: ({ room, id }, { rooms }) => kept(rooms.hall({ id: room }).publish('said', { id }, { id })),
      notify: ({ user, id }) => kept(app.ackord(live).user(user).send('notice', { id }, { id })),
      set: async ({ room, ...value }, { rooms }) => {
        await kept(rooms.hall({ id: room }).publish('value', value, { id: value.id }))
        return {}
      },
      whisper: async ({ room, id }, { rooms }) => {
        await rooms.hall({ id: room }).publish('whispered', { id })
      },
      echo: (said) => said,
    },
    rooms: { hall: { join: () => true } },
  }),
)
app.addHook('onClose', async () => client.disconnect())

// Its parent is gone.
const abandoned = (): never => process.exit(1)
process.once('disconnect', abandoned)
process.once('SIGTERM', async () => {
  process.off('disconnect', abandoned)
  await app.close()
  process.disconnect()
})

await app.listen({ port, host: '127.0.0.1' })
process.send?.({ port: (app.server.address() as AddressInfo).port })
