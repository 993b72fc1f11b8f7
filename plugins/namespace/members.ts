/** Who a connection is to other nodes, and who is meant by a question. */
import type { Connection, Mount } from '../gateway/index.js'
import { roomsOf } from '../rooms/index.js'
import type { MemberInfo } from './types.js'

/** Connections of one namespace, on whichever node: all, those of a user, or the members of a room by its key. */
export type Target = readonly ['all'] | readonly ['user', string] | readonly ['room', string]

/** Those of them on this node. */
export function connectionsOf(mount: Mount, [kind, name]: Target): Iterable<Connection> {
  if (name === undefined) return mount.connections
  if (kind === 'user') return mount.connections.ofUser(name)
  return roomsOf(mount).rooms.find(name)?.members.keys() ?? []
}

/** A connection as it is told to other nodes: `[id, session, user]`. */
export type MemberRow = readonly [connection: string, session: string, user: string]

export const rowOf = ({ id, session, user }: Connection): MemberRow => [id, session, user.id]

/** A connection of this node. */
export const memberOf = (connection: Connection): MemberInfo =>
  infoOf(connection.mount.gateway.node, rowOf(connection))

/** A connection of a node. */
export const infoOf = (node: string, [connection, session, user]: MemberRow): MemberInfo => ({
  connection,
  session,
  user,
  node,
})
