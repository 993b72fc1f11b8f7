/** Who is connected to one namespace on this node. */
import type { Connection } from './connection.js'

/** The open connections, by session and by user. Every entry goes with its connection. */
export class Registry {
  readonly #all = new Set<Connection>()
  readonly #sessions = new Map<string, Connection>()
  readonly #users = new Map<string, Set<Connection>>()

  get size(): number {
    return this.#all.size
  }

  /** How many distinct users are connected. */
  get users(): number {
    return this.#users.size
  }

  [Symbol.iterator](): IterableIterator<Connection> {
    return this.#all.values()
  }

  /** A user's connections on this node. */
  ofUser(id: string): Iterable<Connection> {
    return this.#users.get(id) ?? []
  }

  /** The connection a user's session has now. */
  ofSession(key: string): Connection | undefined {
    return this.#sessions.get(key)
  }

  add(connection: Connection): void {
    const { id } = connection.user
    this.#all.add(connection)
    this.#sessions.set(connection.sessionKey, connection)
    const mine = this.#users.get(id)
    if (mine === undefined) this.#users.set(id, new Set([connection]))
    else mine.add(connection)
  }

  /** False where it was not here. */
  delete(connection: Connection): boolean {
    if (!this.#all.delete(connection)) return false
    const { id } = connection.user
    if (this.#sessions.get(connection.sessionKey) === connection) this.#sessions.delete(connection.sessionKey)
    const mine = this.#users.get(id)
    if (mine?.delete(connection) && mine.size === 0) this.#users.delete(id)
    return true
  }
}

/** Names a client across its connections. A session id has no space, so that no two pairs share a key. */
export const sessionKey = (user: string, session: string): string => `${session} ${user}`
