/** Asks again what an open connection may do: when it is put in doubt, and in rounds. PROTOCOL.md § Tokens. */
import type { FastifyInstance } from 'fastify'
import type { Timer } from '../../contract/clock.js'
import { CLOSE } from '../../contract/wire/index.js'
import {
  type Connection,
  checkUnit,
  type Hooks,
  type Identity,
  type Mount,
  Refusal,
} from '../gateway/index.js'
import { Outages, within } from './outage.js'

/**
 * Returns the user as they are now, under the same id, or null where they may no longer be here. A Refusal of 401 or 403, and an error
 * with such a `statusCode`, count as null; after any other throw, another user, nothing, and after `callTimeout`, everything stays as it is.
 */
export type Reauthorize<U extends Identity> = (user: U, app: FastifyInstance) => U | null | Promise<U | null>

declare module '../gateway/connection.js' {
  interface ConnectionSlots {
    /** A check under way, and whether it has to be made once more. */
    recheck?: Recheck
    /** The number of the question to `reauthorize` whose answer it goes by. */
    answer?: number
  }
}

/** `user`: who it is, and what it was granted. `grants`: only the latter. */
type Scope = 'user' | 'grants'

interface Recheck {
  next: Scope | undefined
  done: Promise<void>
}

/** Checks of a round that are under way together. */
const BATCH = 16
/** Milliseconds between two batches of a round. */
const PAUSE_MS = 10

/** The checks of one namespace. */
export class Rechecks {
  readonly #mount: Mount
  readonly #reauthorize: Reauthorize<Identity> | undefined
  readonly #onReauthorize: ReadonlyArray<Hooks['onReauthorize']>
  readonly #outages: Outages
  #timer: Timer | undefined
  readonly #hasRounds: boolean
  #questions = 0
  #running = false
  #stopped = false

  constructor(mount: Mount, reauthorize: Reauthorize<Identity> | undefined) {
    this.#mount = mount
    this.#reauthorize = reauthorize
    this.#hasRounds = reauthorize !== undefined || mount.definition.options.reauthorizeEvery !== undefined
    this.#onReauthorize = mount.gateway.hooks.of('onReauthorize', mount.path)
    this.#outages = new Outages(mount, 'reauthorize')
  }

  /**
   * Checks a connection; one check at a time, and where it is asked for during one, the check is made again. Resolves when the last of
   * them is done; rejects never.
   */
  check(connection: Connection, scope: Scope = 'user'): Promise<void> {
    const { slots } = connection
    if (slots.recheck !== undefined) {
      if (slots.recheck.next !== 'user') slots.recheck.next = scope
      return slots.recheck.done
    }
    const recheck: Recheck = { next: scope, done: Promise.resolve() }
    slots.recheck = recheck
    recheck.done = this.#run(connection, recheck)
    return recheck.done
  }

  async #run(connection: Connection, recheck: Recheck): Promise<void> {
    while (recheck.next !== undefined && connection.phase !== 'closed') {
      const scope = recheck.next
      recheck.next = undefined
      if (scope === 'user' && this.#reauthorize !== undefined) await this.#checkUser(connection, recheck)
      for (const hook of this.#onReauthorize) if (isOpen(connection)) await this.#ask(hook, connection)
    }
    delete connection.slots.recheck
  }

  async #ask(hook: Hooks['onReauthorize'], connection: Connection): Promise<void> {
    try {
      await hook(connection)
    } catch (error) {
      this.#mount.log.error({ err: error, connection: connection.id }, 'ackord: an onReauthorize hook threw')
    }
  }

  async #checkUser(connection: Connection, recheck: Recheck): Promise<void> {
    const { user } = connection
    const question = this.nextQuestion()
    const fresh = await this.ask(user)
    if (fresh === undefined || connection.phase === 'closed') return
    // A fresh token came meanwhile: what is known is of the old user.
    if (connection.user !== user) recheck.next = 'user'
    else if (fresh === null) revoke(connection)
    else {
      connection.slots.answer = question
      this.#take(connection, fresh)
    }
  }

  /** Whether the namespace has `reauthorize`. */
  get canAsk(): boolean {
    return this.#reauthorize !== undefined
  }

  /** Numbers a question that is about to be asked. */
  nextQuestion(): number {
    return ++this.#questions
  }

  /** Whether a connection goes by the answer to a check that was asked after this question. */
  isOvertaken({ slots }: Connection, question: number): boolean {
    return slots.answer !== undefined && slots.answer > question
  }

  /**
   * Who a user is now: themselves where the namespace has no `reauthorize`, null where they may no longer be here, `undefined` where
   * nobody can say. Rejects never.
   */
  async ask(user: Identity): Promise<Identity | null | undefined> {
    const reauthorize = this.#reauthorize
    if (reauthorize === undefined) return user
    const { app, clock, settings } = this.#mount
    let fresh: Identity | null
    try {
      fresh = await within(clock, settings.callTimeout, () => reauthorize(user, app))
      if (fresh !== null && !isUser(fresh, user.id))
        throw new TypeError('reauthorize has to return the user, under the same id, or null')
      if (fresh !== null) checkUnit(this.#mount, 'reauthorize', fresh.expiresAt)
    } catch (error) {
      if (!isRefusal(error)) {
        this.#outages.failed(error)
        return undefined
      }
      fresh = null
    }
    this.#outages.over()
    return fresh
  }

  // The token goes on to count: a check can bring its end nearer, never further away.
  #take(connection: Connection, user: Identity): void {
    connection.user = user
    const { clock, gateway } = this.#mount
    const end = clock.now() + (user.expiresAt ?? Number.POSITIVE_INFINITY) - clock.wall()
    if (end >= connection.expiresAt) return
    connection.expiresAt = end
    gateway.expiry.watch(connection)
  }

  /**
   * Begins the rounds, where the namespace has `reauthorize`, or sets `reauthorizeEvery` itself; they go on while there are connections.
   * Safe to repeat.
   */
  start(): void {
    if (!this.#hasRounds || this.#running || this.#stopped) return
    this.#timer ??= this.#mount.clock.setTimeout(() => {
      this.#timer = undefined
      void this.#round()
    }, this.#mount.settings.reauthorizeEvery)
  }

  stop(): void {
    this.#stopped = true
    if (this.#timer !== undefined) this.#mount.clock.clearTimeout(this.#timer)
    this.#timer = undefined
  }

  // Rejects never: a check does not.
  async #round(): Promise<void> {
    this.#running = true
    await this.checkAll(this.#mount.connections)
    this.#running = false
    if (this.#mount.connections.size > 0) this.start()
  }

  /** Checks connections in batches, so that neither the event loop nor a database is held. */
  async checkAll(connections: Iterable<Connection>): Promise<void> {
    let batch: Array<Promise<void>> = []
    for (const connection of connections) {
      if (connection.phase === 'closed') continue
      batch.push(this.check(connection))
      if (batch.length < BATCH) continue
      await Promise.all(batch)
      batch = []
      await new Promise<void>((resolve) => this.#mount.clock.setTimeout(resolve, PAUSE_MS))
    }
    await Promise.all(batch)
  }
}

/** Ends a connection that lost its right to be here: nothing that is queued for it leaves. */
export function revoke(connection: Connection): void {
  connection.writer.discard()
  connection.close(CLOSE.REVOKED)
}

// A function, because a phase may change during an await, which narrowing cannot see.
const isOpen = ({ phase }: Connection): boolean => phase === 'open'

// Made by code that no type may hold.
function isUser(fresh: Partial<Identity> | undefined, id: string): boolean {
  const { expiresAt = 0 }: { readonly expiresAt?: unknown } = Object(fresh)
  return fresh?.id === id && typeof expiresAt === 'number' && !Number.isNaN(expiresAt)
}

function isRefusal(error: unknown): boolean {
  if (error instanceof Refusal) return error.status === 401 || error.status === 403
  const { statusCode } = Object(error) as { readonly statusCode?: unknown }
  return statusCode === 401 || statusCode === 403
}
