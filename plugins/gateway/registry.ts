/** Who is connected to one namespace on this node. */
import type { Connection } from './connection.js'

/** What comes of a claim: `fenced` where the session has a younger connection, `full` where its user has too many sessions. */
export type Claim = 'granted' | 'fenced' | 'full'

/** The place of each session among all nodes: one connection has it. */
export interface SessionPlaces {
  /** A connection that said HELLO takes its session's place, if it may; behind it come the checks of this node. Rejects never. */
  claim(connection: Connection): Promise<Claim>
  /** The connection is in: resolves when the one that had the place on another node has ended, or after 1,000 ms. Rejects never. */
  replace(connection: Connection): Promise<void>
  /** The connection has its WELCOME. */
  opened(connection: Connection): void
  /** The connection has ended, in or not. Safe to repeat. */
  release(connection: Connection): void
}

/** The open connections, by session, by user and by token. Every entry goes with its connection. */
export class Registry {
  readonly #all = new Set<Connection>()
  readonly #sessions = new Map<string, Connection>()
  readonly #users = new Map<string, Set<Connection>>()
  readonly #tokens = new Map<string, Set<Connection>>()

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

  /** How many they are: one for each session. */
  countOfUser(id: string): number {
    return this.#users.get(id)?.size ?? 0
  }

  /** The connections on this node that came in, or stay, by a token. */
  ofToken(id: string): Iterable<Connection> {
    return this.#tokens.get(id) ?? []
  }

  /** The connection a user's session has now. */
  ofSession(key: string): Connection | undefined {
    return this.#sessions.get(key)
  }

  add(connection: Connection): void {
    const { user, tokenId } = connection
    this.#all.add(connection)
    this.#sessions.set(connection.sessionKey, connection)
    put(this.#users, user.id, connection)
    if (tokenId !== undefined) put(this.#tokens, tokenId, connection)
  }

  /** A connection that is here goes on by another token. */
  setToken(connection: Connection, tokenId: string | undefined): void {
    if (!this.#all.has(connection)) return
    if (connection.tokenId !== undefined) take(this.#tokens, connection.tokenId, connection)
    connection.tokenId = tokenId
    if (tokenId !== undefined) put(this.#tokens, tokenId, connection)
  }

  /** False where it was not here. */
  delete(connection: Connection): boolean {
    if (!this.#all.delete(connection)) return false
    const { id } = connection.user
    if (this.#sessions.get(connection.sessionKey) === connection) this.#sessions.delete(connection.sessionKey)
    take(this.#users, id, connection)
    if (connection.tokenId !== undefined) take(this.#tokens, connection.tokenId, connection)
    return true
  }
}

function put(index: Map<string, Set<Connection>>, key: string, connection: Connection): void {
  const found = index.get(key)
  if (found === undefined) index.set(key, new Set([connection]))
  else found.add(connection)
}

function take(index: Map<string, Set<Connection>>, key: string, connection: Connection): void {
  const found = index.get(key)
  if (found?.delete(connection) && found.size === 0) index.delete(key)
}

/** Names a client across its connections. A session id has no space, so that no two pairs share a key. */
export const sessionKey = (user: string, session: string): string => `${session} ${user}`
