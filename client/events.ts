/** Events outside rooms, and the answers to what the server asks. PROTOCOL.md § Events and asks. */
import type { FrameOf } from '../contract/wire/frames.js'
import type { Link } from './connection.js'
import { Failure } from './errors.js'
import { createListenerMap, type Report } from './listeners.js'

/** `Events` of types.ts without the contract's types. */
export interface AnyEvents {
  on(name: string, listener: (payload: unknown) => unknown): () => void
  handle(name: string, handler: (payload: unknown) => unknown): () => void
  receive(frame: FrameOf<'EVENT'>): void
}

/** No listener and no handler yet. */
export function createEvents(link: Link, report: Report): AnyEvents {
  const listeners = createListenerMap<[payload: unknown]>(report)
  const handlers = new Map<string, (payload: unknown) => unknown>()

  async function answer(ask: number, name: string, payload: unknown): Promise<void> {
    // An ask belongs to its connection: on another one its number means nothing, or something else.
    const { channel } = link
    const handler = handlers.get(name)
    if (handler === undefined) {
      channel.send([5, ask, null, 'NO_HANDLER'])
      return
    }
    try {
      const value = await handler(payload)
      if (channel === link.channel && !channel.send([5, ask, value ?? null])) {
        throw new Failure(name, 'TOO_LARGE', null)
      }
    } catch (error) {
      report(error)
      channel.send([5, ask, null, 'FAILED'])
    }
  }

  return {
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
    receive([, name, payload, ask]) {
      listeners.emit(name, payload)
      if (ask != null) void answer(ask, name, payload)
    },
  }
}
