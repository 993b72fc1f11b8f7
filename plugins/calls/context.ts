/** What a handler is given beside its input. Getters on a prototype: what a handler does not touch costs nothing. */
import type { FastifyBaseLogger } from 'fastify'
import type { Connection, Identity } from '../gateway/index.js'
import type { CompiledCall } from './compile.js'

/** The context of one call; its typed face is `CallContext` in plugins/namespace/types.ts. */
export class Context {
  readonly #connection: Connection
  readonly #call: CompiledCall
  #abort: AbortController | undefined
  /** Stable across resends of a 'once' call; otherwise of this attempt alone. */
  readonly operationId: string

  constructor(connection: Connection, call: CompiledCall, operationId: string) {
    this.#connection = connection
    this.#call = call
    this.operationId = operationId
  }

  get user(): Identity {
    return this.#connection.user
  }

  get connection(): unknown {
    return this.#connection.mount.surface.connection(this.#connection)
  }

  get rooms(): unknown {
    return this.#connection.mount.surface.rooms
  }

  get fail(): CompiledCall['fail'] {
    return this.#call.fail
  }

  get signal(): AbortSignal {
    this.#abort ??= new AbortController()
    return this.#abort.signal
  }

  get log(): FastifyBaseLogger {
    const { id, mount, user } = this.#connection
    return mount.log.child({ call: this.#call.name, connection: id, user: user.id })
  }

  /** For the dispatcher: the client cancelled, is gone, or the deadline passed. */
  static abort(context: Context, reason: string): void {
    // A handler that asks for the signal only now must find it aborted.
    context.#abort ??= new AbortController()
    context.#abort.abort(new DOMException(reason, reason === 'TIMEOUT' ? 'TimeoutError' : 'AbortError'))
  }
}
