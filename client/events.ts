/** Events outside rooms, and the answers to what the server asks. PROTOCOL.md § Events and asks. */
import type { FrameOf } from '../contract/wire/frames.js'
import type { Channel } from './channel.js'
import type { Link } from './connection.js'
import { Failure } from './errors.js'
import { createListenerMap, type ListenerMap, type Report } from './listeners.js'
import type { PublicationInfo } from './types.js'

/** `Events` of types.ts without the contract's types. */
export interface AnyEvents {
  on(name: string, listener: (payload: unknown, info: PublicationInfo) => unknown): () => void
  handle(name: string, handler: (payload: unknown) => unknown): () => void
  /** `channel` is that of the connection it came on. */
  receive(frame: FrameOf<'EVENT'>, channel: Channel): void
  /** Those of `on`. */
  readonly listeners: ListenerMap<[payload: unknown, info: PublicationInfo]>
}

const NO_LOG: PublicationInfo = { position: undefined, recovered: false }

/** No listener and no handler yet. */
export function createEvents(link: Link, report: Report): AnyEvents {
  const listeners = createListenerMap<[payload: unknown, info: PublicationInfo]>(report)
  const handlers = new Map<string, (payload: unknown) => unknown>()

  // An ask belongs to its connection: on another one its number means nothing, or something else.
  async function answer(channel: Channel, ask: number, name: string, payload: unknown): Promise<void> {
    const handler = handlers.get(name)
    if (handler === undefined) {
      channel.send([5, ask, null, 'NO_HANDLER'])
      return
    }
    try {
      const value = await handler(payload)
      if (!channel.send([5, ask, value ?? null]) && channel.open) {
        throw new Failure(name, 'TOO_LARGE', null)
      }
    } catch (error) {
      report(error)
      channel.send([5, ask, null, 'FAILED'])
    }
  }

  return {
    listeners,
    on(name, listener) {
      link.need()
      return listeners.add(name, listener)
    },
    handle(name, handler) {
      if (handlers.has(name)) throw new Error(`${name} has a handler already`)
      link.need()
      handlers.set(name, handler)
      return () => {
        if (handlers.get(name) === handler) handlers.delete(name)
      }
    },
    receive([, name, payload, ask], channel) {
      if (ask != null) channel.asked()
      listeners.emit(name, payload, NO_LOG)
      if (ask != null) void answer(channel, ask, name, payload)
    },
  }
}
