/** The inbox: each user's own log of recoverable events, by the machinery of rooms. Adds the room without a name. */
import type { FastifyPluginAsync } from 'fastify'
import fp from 'fastify-plugin'
import type { Connection, Mount } from '../gateway/index.js'
import { type CompiledRoom, checkedKey, type Position, roomsOf } from '../rooms/index.js'
import { compileInbox, type InboxParams } from './definition.js'

const inboxes = new WeakMap<Mount, CompiledRoom>()

/** Registers the inbox; needs rooms. */
export const inboxPlugin: FastifyPluginAsync = fp(
  async (app) => {
    app.ackordGateway.addHook('onMount', (mount) => {
      const inbox = compileInbox(mount)
      if (inbox === undefined) return
      const definition: CompiledRoom = { ...inbox, join: isOwn, paramsOf: ownParams }
      inboxes.set(mount, definition)
      roomsOf(mount).rooms.define(definition)
    })
  },
  { name: '@ackord/inbox', fastify: '5.x', dependencies: ['@ackord/gateway', '@ackord/rooms'] },
)

const ownParams = ({ user }: Connection): InboxParams => ({ user: user.id })
// Nobody gets into any other.
const isOwn = (): boolean => true

/** Whether an event goes into inboxes, of which a namespace has none without the plugin. */
export const goesIntoInbox = (mount: Mount, event: string): boolean =>
  inboxes.get(mount)?.events.has(event) ?? false

/**
 * Puts an event into the inbox of a user, whether or not they are connected anywhere. Rejects with ACKORD_INVALID_PARAMS where the id is
 * none of 1 to 256 characters, and as `Rooms.publish`.
 */
export async function publishIntoInbox(
  mount: Mount,
  user: string,
  event: string,
  payload: unknown,
  id: string | undefined,
): Promise<Position | undefined> {
  const inbox = inboxes.get(mount)
  if (inbox === undefined) return undefined
  const params: InboxParams = { user }
  return roomsOf(mount).rooms.publish(inbox, checkedKey(inbox, params), event, payload, { id })
}
