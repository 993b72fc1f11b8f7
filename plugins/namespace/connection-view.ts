/** A connection as the application sees it: thin, untyped inside, typed once at its edge (types.ts). */
import { CLOSE } from '../../contract/wire/index.js'
import { revoke } from '../auth/index.js'
import { type Answer, type AskOptions, eventsOf } from '../calls/index.js'
import type { Connection, Identity } from '../gateway/index.js'

declare module '../gateway/connection.js' {
  interface ConnectionSlots {
    /** The connection as the application sees it; made when it first does. */
    live?: ConnectionView
  }
}

const DISCONNECT = {
  kicked: CLOSE.KICKED,
  revoked: CLOSE.REVOKED,
  reauthenticate: CLOSE.REAUTHENTICATE,
} as const

/** A connection as the application sees it. */
export class ConnectionView {
  readonly #connection: Connection

  constructor(connection: Connection) {
    this.#connection = connection
  }

  get id(): string {
    return this.#connection.id
  }

  get session(): string {
    return this.#connection.session
  }

  get user(): Identity {
    return this.#connection.user
  }

  get data(): unknown {
    return this.#connection.data
  }

  get since(): number {
    return this.#connection.since
  }

  get rooms(): string[] {
    return [...(this.#connection.slots.rooms?.keys() ?? [])].map((room) => room.key)
  }

  get buffered(): number {
    return this.#connection.writer.buffered
  }

  send(event: string, payload: unknown): boolean {
    return eventsOf(this.#connection.mount).send([this.#connection], event, payload) === 1
  }

  async ask(event: string, payload: unknown, options: AskOptions = {}): Promise<Answer> {
    return eventsOf(this.#connection.mount).ask([this.#connection], event, payload, options).first()
  }

  disconnect(code: keyof typeof DISCONNECT = 'kicked'): void {
    if (code === 'revoked') revoke(this.#connection)
    else this.#connection.close(DISCONNECT[code])
  }

  /** The connection behind a view. */
  static connectionOf(view: ConnectionView): Connection {
    return view.#connection
  }
}

/** The view of a connection: the same one each time. */
export function viewOf(connection: Connection): ConnectionView {
  connection.slots.live ??= new ConnectionView(connection)
  return connection.slots.live
}
