/** Whether this node can do all it is there for, as told to clients. PROTOCOL.md § Frames, STATE. */
import { FRAMES } from '../../contract/wire/index.js'
import type { Connection } from './connection.js'
import { Message, type Pack } from './message.js'

/** Tells all open connections of a change, and each new one while it lasts. */
export class Degraded {
  readonly #connections: Iterable<Connection>
  readonly #degraded: Message
  readonly #restored: Message
  #is = false

  constructor(connections: Iterable<Connection>, pack: Pack) {
    this.#connections = connections
    const message = (state: string): Message => new Message(JSON.stringify([FRAMES.STATE.type, state]), pack)
    this.#degraded = message('degraded')
    this.#restored = message('restored')
  }

  /** Something that all nodes share is away. */
  get is(): boolean {
    return this.#is
  }

  /** Says how it is now; tells nobody what they know. */
  set(is: boolean): void {
    if (is === this.#is) return
    this.#is = is
    const message = is ? this.#degraded : this.#restored
    for (const connection of this.#connections) {
      // Who is not open yet is told behind WELCOME.
      if (connection.phase === 'open') connection.sendMessage(message)
    }
  }

  /** A connection got its WELCOME. */
  welcomed(connection: Connection): void {
    if (this.#is) connection.sendMessage(this.#degraded)
  }
}
