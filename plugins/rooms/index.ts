/** Rooms: membership, fan-out, logs. Takes JOIN and LEAVE of each namespace. */
import type { FastifyPluginAsync } from 'fastify'
import fp from 'fastify-plugin'
import { AckordError } from '../errors.js'
import type { Gateway, Mount } from '../gateway/index.js'
import { redisOf } from '../redis/index.js'
import type { Broker } from './broker.js'
import { MemoryBroker } from './broker-memory.js'
import { RedisBroker } from './broker-redis.js'
import { Memberships } from './membership.js'
import { Rooms } from './rooms.js'

interface RoomServices {
  readonly rooms: Rooms
  readonly memberships: Memberships
}

const services = new WeakMap<Mount, RoomServices>()

/** Registers rooms; needs the gateway and calls. */
export const roomsPlugin: FastifyPluginAsync = fp(
  async (app) => {
    const { gateway } = app.ackordGateway
    const broker = brokerOf(gateway, (error, room) =>
      app.log.error({ err: error, room }, 'ackord: a publication could not be delivered'),
    )
    app.ackordGateway.addHook('onMount', (mount) => {
      const rooms = new Rooms(mount, broker)
      const memberships = new Memberships(mount, rooms)
      services.set(mount, { rooms, memberships })
      mount.handle('JOIN', memberships.onJoin)
      mount.handle('LEAVE', memberships.onLeave)
    })
    app.ackordGateway.addHook('onDisconnect', (connection) => {
      roomsOf(connection.mount).memberships.leaveAll(connection)
    })
    app.ackordGateway.addHook('onReauthorize', (connection) =>
      roomsOf(connection.mount).memberships.reauthorize(connection),
    )
    app.addHook('onClose', () => broker.close())
  },
  { name: '@ackord/rooms', fastify: '5.x', dependencies: ['@ackord/gateway', '@ackord/calls'] },
)

// The namespaces of an app share one broker.
function brokerOf(gateway: Gateway, onError: (error: unknown, room: string) => void): Broker {
  const { clock, options } = gateway
  const hub = redisOf(gateway)
  if (hub === undefined) return new MemoryBroker({ clock, onError })
  return new RedisBroker({ hub, clock, onError, random: options.random ?? Math.random })
}

/** The rooms of a mounted namespace. */
export function roomsOf(mount: Mount): RoomServices {
  const found = services.get(mount)
  if (found === undefined) throw new AckordError('ACKORD_NOT_MOUNTED', 'before the app is ready')
  return found
}

export { type Broker, BrokerError, type BrokerErrorCode, type Position } from './broker.js'
export type { CompiledRoom } from './compile.js'
export { Join } from './join.js'
export type { Member } from './member.js'
export { checkedKey } from './publishable.js'
export type { Room } from './room.js'
export type { Rooms } from './rooms.js'
