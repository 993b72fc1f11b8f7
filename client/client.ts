/** Puts the parts of a client together. */
import { type Calls, createCalls } from './calls.js'
import { createConnection, type Link } from './connection.js'
import type { Core } from './core.js'
import { type AnyEvents, createEvents } from './events.js'
import { createOutbox } from './outbox.js'
import { createSettings } from './settings.js'
import { createTree } from './tree.js'
import type { Client, ClientOptions, Descriptor } from './types.js'

/**
 * Makes a client of the contract that `descriptor` describes; generated code calls it with the contract's types. Does
 * no I/O: the first call, join, listener or `connection.connect()` connects.
 *
 * `url` is `ws:`, `wss:`, `http:`, `https:` or, in a browser, a path. A wrong one, or a runtime without a WebSocket, is
 * told to `onError` at the first attempt, and the connection is then closed.
 */
export function createClient<C extends object, E extends object, R extends object>(
  descriptor: Descriptor,
  url: string,
  options: ClientOptions = {},
): Client<C, E, R> {
  const settings = createSettings(options)
  const { report } = settings
  const link: Link = createConnection(descriptor, url, settings, {
    event: (frame, channel) => events.receive(frame, channel),
    room: (frame) => core.rooms?.receive(frame),
    flush() {
      core.rooms?.flush()
      calls.flush()
    },
    retry() {
      core.rooms?.retry()
      calls.retry()
    },
    down(state, untouched, channel) {
      calls.down(state, untouched, channel)
      core.rooms?.down(state, channel)
    },
  })
  const events: AnyEvents = createEvents(link, report)
  const outbox = createOutbox(() => calls.pending, report)
  const calls: Calls = createCalls(link, settings, outbox.changed)
  const core: Core = { link, settings, calls, events, rooms: undefined }

  const client: Client<object, Record<string, { payload: unknown }>, object> = {
    calls: createTree(descriptor.calls, (name, { delivery, stream }) =>
      stream ? stream(link, settings, calls, name) : calls.create(name, delivery),
    ),
    events: Object.assign(events, descriptor.inbox?.(core)),
    rooms: createTree(
      descriptor.rooms,
      (name, { membership, params, presence }) =>
        (given: unknown) =>
          membership(core, { name, params, presence }, given),
    ),
    connection: link,
    outbox,
    close: link.close,
  }
  // What the descriptor says and what the types say was generated from one contract.
  return client as unknown as Client<C, E, R>
}
