/** TOKEN: an open connection goes on by a fresh token of the same user. PROTOCOL.md § Tokens. */
import { isDeepStrictEqual } from 'node:util'
import { CLOSE, FRAMES, type FrameOf, Violation } from '../../contract/wire/index.js'
import { type Connection, closeCodeOf, type Identity, type Mount, Refusal } from '../gateway/index.js'
import type { Authority } from './authority.js'
import { revoke } from './recheck.js'

declare module '../gateway/connection.js' {
  interface ConnectionSlots {
    /** Tokens that came in. */
    refresh?: Refresh
  }
}

interface Refresh {
  /** One is being verified; the newest that came meanwhile waits. */
  busy: boolean
  next: string | undefined
  /** Times in a row that a client is asked again: authentication, or `reauthorize`, was away, or a revocation came meanwhile. */
  tries: number
}

/** Times in a row that a client is asked again where authentication is away. */
const MAX_TRIES = 5
/** Times that `reauthorize` is asked about one token, where each answer is overtaken by a revocation or a check. */
const MAX_ASKS = 5
/** Milliseconds until it is, at the least. */
const LEAST_RETRY_MS = 1000

/** The fresh tokens of one namespace. */
export class Refreshes {
  readonly #mount: Mount
  readonly #authority: Authority

  constructor(mount: Mount, authority: Authority) {
    this.#mount = mount
    this.#authority = authority
  }

  /** Handles TOKEN. One token is verified at a time; of those that come meanwhile only the newest is, then. */
  readonly onToken = (connection: Connection, [, token]: FrameOf<'TOKEN'>): void => {
    if (!connection.features.includes('token')) throw new Violation(CLOSE.UNEXPECTED_FRAME)
    connection.slots.refresh ??= { busy: false, next: undefined, tries: 0 }
    const { refresh } = connection.slots
    refresh.next = token
    // Rejects never: what fails on the way asks again or closes the connection.
    if (!refresh.busy) void this.#run(connection, refresh)
  }

  async #run(connection: Connection, refresh: Refresh): Promise<void> {
    refresh.busy = true
    for (let token = refresh.next; token !== undefined; token = refresh.next) {
      refresh.next = undefined
      if (connection.phase !== 'open') break
      await this.#verify(connection, refresh, token)
    }
    refresh.busy = false
  }

  async #verify(connection: Connection, refresh: Refresh, token: string): Promise<void> {
    try {
      const identity = await this.#mount.authenticate(token, connection.upgradeInfo)
      if (identity.id !== connection.user.id) connection.close(CLOSE.OTHER_USER)
      else await this.#settle(connection, refresh, identity)
    } catch (error) {
      if (connection.phase === 'open') this.#failed(connection, refresh, error)
    }
  }

  // What is known may be older than what made it doubtful. The token is not looked at again: it may have been good for one time.
  async #settle(connection: Connection, refresh: Refresh, identity: Identity): Promise<void> {
    const { rechecks } = this.#authority
    for (let asks = 0; asks < MAX_ASKS; asks++) {
      const question = rechecks.nextQuestion()
      const fresh = await rechecks.ask(identity)
      const isDoubtful = this.#authority.mustCheck(connection, identity.tokenId)
      if (connection.phase !== 'open') return
      if (isDoubtful && !rechecks.canAsk) {
        // It is no failure: the client is asked at once.
        this.#askAgain(connection, refresh, 0)
        return
      }
      if (isDoubtful) this.#authority.looked(connection)
      else if (!rechecks.isOvertaken(connection, question)) {
        if (fresh === undefined) break
        if (fresh === null) revoke(connection)
        else this.#accept(connection, refresh, identity, fresh)
        return
      }
    }
    this.#askAgain(connection, refresh)
  }

  /** `identity` is whose token it is, `fresh` who they are now. */
  #accept(connection: Connection, refresh: Refresh, identity: Identity, fresh: Identity): void {
    const { clock, connections, gateway } = this.#mount
    const isSame = isDeepStrictEqual(claimsOf(connection.user), claimsOf(fresh))
    const left = Math.min(endOf(identity), endOf(fresh)) - clock.wall()
    refresh.tries = 0
    connection.user = fresh
    connections.setToken(connection, identity.tokenId)
    connection.expiresAt = clock.now() + left
    gateway.expiry.watch(connection)
    const until = left < Number.MAX_SAFE_INTEGER ? Math.max(0, Math.floor(left)) : undefined
    connection.send([FRAMES.S_TOKEN.type, 'accepted', until])
    if (!isSame) void this.#authority.rechecks.check(connection, 'grants')
  }

  #failed(connection: Connection, refresh: Refresh, error: unknown): void {
    if (error instanceof Refusal && error.status < 500 && error.status !== 429) {
      connection.close(closeCodeOf(error))
      return
    }
    if (!(error instanceof Refusal)) {
      this.#mount.log.error({ err: error, connection: connection.id }, 'ackord: a token could not be checked')
    }
    this.#askAgain(connection, refresh)
  }

  // The old token goes on to count where nobody can say that the new one is wrong.
  #askAgain(connection: Connection, refresh: Refresh, ms = this.#retryMs()): void {
    if (++refresh.tries <= MAX_TRIES) this.#mount.gateway.expiry.ask(connection, ms)
  }

  #retryMs(): number {
    return Math.max(LEAST_RETRY_MS, this.#mount.settings.tokenLead / MAX_TRIES)
  }
}

const endOf = ({ expiresAt = Number.POSITIVE_INFINITY }: Identity): number => expiresAt

// What belongs to the token and not to who brings it changes with each of them.
function claimsOf({ expiresAt, tokenId, ...claims }: Identity): object {
  return claims
}
