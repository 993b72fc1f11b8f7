/** A namespace's rooms, compiled once at the start: keys, payloads, who may join. */
import { AckordError } from '../errors.js'
import type { Connection, Identity, Mount } from '../gateway/index.js'
import { compilePublishable, type PublishableRoom } from './publishable.js'

/** What a `join` handler sees beside the params. */
export interface AnyJoinContext {
  readonly user: Identity
  readonly connection: unknown
}

/** A `join` handler as the plugin sees it; its typed face is `JoinHandler` in plugins/namespace/types.ts. */
export type AnyJoin = (params: unknown, context: AnyJoinContext) => unknown

/** One kind of room. */
export interface CompiledRoom extends PublishableRoom {
  readonly join: AnyJoin
  /** Where each joiner has a room of their own: its params, whatever JOIN says. */
  readonly paramsOf?: (connection: Connection) => unknown
}

/** Compiles every room. Throws ACKORD_HANDLER_MISSING, ACKORD_HANDLER_UNKNOWN. */
export function compileRooms(mount: Mount): Map<string, CompiledRoom> {
  const parts = new Map(Object.entries((mount.part('rooms') ?? {}) as Record<string, { join?: unknown }>))
  const table = new Map<string, CompiledRoom>()
  for (const [name, definition] of Object.entries(mount.contract.rooms ?? {})) {
    const join = parts.get(name)?.join
    if (typeof join !== 'function') {
      throw new AckordError('ACKORD_HANDLER_MISSING', `rooms[${JSON.stringify(name)}].join of ${mount.path}`)
    }
    table.set(name, { ...compilePublishable(mount, name, definition), join: join as AnyJoin })
    parts.delete(name)
  }
  const [unknown] = parts.keys()
  if (unknown !== undefined)
    throw new AckordError('ACKORD_HANDLER_UNKNOWN', `rooms[${JSON.stringify(unknown)}]`)
  return table
}
