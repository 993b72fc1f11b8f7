/** Who may be here, of one namespace: authentication, tickets, revocation. docs/security.md. */

import { CLOSE } from '../../contract/wire/index.js'
import { AckordError } from '../errors.js'
import {
  type Admission,
  type Authenticator,
  type Connection,
  type Identity,
  type Mount,
  Refusal,
  type UpgradeInfo,
} from '../gateway/index.js'
import { RecentRevocations } from './recent.js'
import { type Reauthorize, Rechecks, revoke } from './recheck.js'
import { Refreshes } from './refresh.js'
import { RevokedTokens } from './revoked-tokens.js'
import { isTicket, Tickets } from './tickets.js'

/** Whose authorization is revoked: of a user, of one page load or process of a client, or of a token (by its `tokenId`). */
export type RevokeTarget =
  | { readonly user: string }
  | { readonly session: string }
  /** `expiresAt`: when the token ends, in ms since 1970, so that the id need not be kept longer. */
  | { readonly tokenId: string; readonly expiresAt?: number }

/** How to revoke. */
export interface RevokeOptions {
  /**
   * `close` (default): ends the connections at once with 4508; what is queued for them does not leave. `reauthorize`: asks again what
   * they may do, and takes back what they no longer may.
   */
  readonly mode?: 'close' | 'reauthorize'
}

/** One per namespace. */
export class Authority {
  readonly rechecks: Rechecks
  readonly refreshes: Refreshes
  readonly tickets: Tickets
  readonly #mount: Mount
  readonly #authenticate: Authenticator
  /** Whether a client can bring another token than the one it came with. */
  readonly #hasTokens: boolean
  readonly #recent = new RecentRevocations()
  readonly #revoked: RevokedTokens
  // By upgrade: the last revocation before its token was looked at.
  readonly #began = new WeakMap<UpgradeInfo, number>()

  constructor(mount: Mount, authenticate: Authenticator, reauthorize: Reauthorize<Identity> | undefined) {
    this.#mount = mount
    this.#authenticate = authenticate
    this.#hasTokens = mount.definition.options.authenticate !== 'none'
    this.rechecks = new Rechecks(mount, reauthorize)
    this.refreshes = new Refreshes(mount, this)
    this.tickets = new Tickets(mount.clock)
    this.#revoked = new RevokedTokens(() =>
      mount.log.warn('ackord: too many token ids are revoked; the one revoked first is accepted again'),
    )
    if (this.#hasTokens) mount.handle('TOKEN', this.refreshes.onToken)
  }

  /** The namespace's authenticator: its own, tickets besides, and no token that was revoked. */
  readonly authenticate: Authenticator = async (token, upgrade) => {
    this.#began.set(upgrade, this.#recent.count)
    const identity =
      token !== undefined && this.offersTickets && isTicket(token)
        ? this.#redeem(token, upgrade)
        : await this.#authenticate(token, upgrade)
    const { tokenId }: Partial<Identity> = Object(identity)
    if (tokenId !== undefined && this.#revoked.has(tokenId, this.#mount.clock.now()))
      throw new Refusal(401, 'UNAUTHORIZED', 'the token was revoked')
    return identity
  }

  /** Whether POST {path}/ticket is answered. */
  get offersTickets(): boolean {
    return this.#hasTokens && this.#mount.definition.options.tickets !== false
  }

  // A plain GET takes nothing: a client may ask why it was refused, and then come with the same ticket.
  #redeem(ticket: string, { protocol }: UpgradeInfo): Identity {
    const identity = protocol === '' ? this.tickets.look(ticket) : this.tickets.take(ticket)
    if (identity === undefined)
      throw new Refusal(401, 'UNAUTHORIZED', 'the ticket is unknown, used or too old')
    return identity
  }

  /** Makes a ticket for whom the gate lets in by a token. Throws a Refusal. */
  async issueTicket(token: string | undefined, admit: () => Promise<Admission>): Promise<string> {
    if (token === undefined || isTicket(token))
      throw new Refusal(401, 'UNAUTHORIZED', 'a ticket is made for a token')
    const { upgrade, identity } = await admit()
    if (identity === undefined) throw new Refusal(401, 'UNAUTHORIZED', 'a ticket is made for a token')
    const verdict = this.#since(upgrade, [userKey(identity.id), ...tokenKeys(identity.tokenId)])
    if (verdict !== undefined) throw new Refusal(401, 'UNAUTHORIZED', 'authorization was revoked')
    return this.tickets.issue(identity)
  }

  /**
   * A connection comes in: closes it where it was revoked while it did. Where it came into doubt, the promise of a check, behind which
   * this has to be asked again. `undefined` where nothing is in doubt.
   */
  vet(connection: Connection): Promise<void> | undefined {
    if (connection.phase === 'closed') return undefined
    if (!this.mustCheck(connection, connection.tokenId)) return undefined
    this.looked(connection)
    return this.#doubt([connection])
  }

  /**
   * Whether a revocation asked for a check of a connection since its last token was looked at, which is named `tokenId`. Where one asked
   * for more, it closes the connection.
   */
  mustCheck(connection: Connection, tokenId: string | undefined): boolean {
    const { user, session, upgradeInfo } = connection
    const keys = [userKey(user.id), sessionKey(session), ...tokenKeys(tokenId)]
    const verdict = this.#since(upgradeInfo, keys)
    if (verdict === 'close') revoke(connection)
    if (verdict === 'reauthenticate') connection.close(CLOSE.REAUTHENTICATE)
    return verdict === 'check'
  }

  /** What a connection may do is asked after this: revocations so far are in the answer. */
  looked({ upgradeInfo }: Connection): void {
    this.#began.set(upgradeInfo, this.#recent.count)
  }

  #since(upgrade: UpgradeInfo, keys: readonly string[]): ReturnType<RecentRevocations['since']> {
    return this.#recent.since(this.#began.get(upgrade) ?? 0, keys)
  }

  /**
   * Revokes on this node, at once: before this returns, what is to be closed is closed, and what is on its way in is refused or checked.
   * Resolves when checks are done, with how many connections were meant. Rejects with ACKORD_INVALID_OPTION.
   */
  async revoke(target: RevokeTarget, { mode = 'close' }: RevokeOptions = {}): Promise<number> {
    const { key, connections, isMeant } = this.#meant(target)
    if (mode !== 'close' && mode !== 'reauthorize') throw invalid("mode: 'close' or 'reauthorize'")
    if ('tokenId' in target) checkEnd(target.expiresAt, this.#mount.clock.wall())
    const now = this.#mount.clock.now()
    this.#recent.add(key, mode === 'close' ? 'close' : 'check', now)
    this.tickets.revoke(isMeant)
    if (mode === 'reauthorize') {
      await this.#doubt(connections)
      return connections.length
    }
    if ('tokenId' in target) this.#revoked.add(target.tokenId, now, this.#endOf(target, connections))
    for (const connection of connections) revoke(connection)
    return connections.length
  }

  #meant(target: RevokeTarget): {
    readonly key: string
    readonly connections: readonly Connection[]
    readonly isMeant: (identity: Identity) => boolean
  } {
    const { connections } = this.#mount
    const { user, session, tokenId }: { user?: unknown; session?: unknown; tokenId?: unknown } = target
    const [id, ...more] = [user, session, tokenId].filter((value) => value !== undefined)
    if (typeof id !== 'string' || id === '' || more.length > 0)
      throw invalid('revoke: one of { user }, { session } and { tokenId }, a text')
    if (user !== undefined) {
      const isMeant = (identity: Identity): boolean => identity.id === id
      return { key: userKey(id), connections: [...connections.ofUser(id)], isMeant }
    }
    if (tokenId !== undefined) {
      const isMeant = (identity: Identity): boolean => identity.tokenId === id
      return { key: tokenKey(id), connections: [...connections.ofToken(id)], isMeant }
    }
    const mine = [...connections].filter((connection) => connection.session === id)
    return { key: sessionKey(id), connections: mine, isMeant: () => false }
  }

  // Where the caller does not say, a day, or what is left of it on a connection: its token may have been shortened there.
  #endOf(target: { readonly expiresAt?: number }, connections: readonly Connection[]): number | undefined {
    const { clock } = this.#mount
    if (target.expiresAt !== undefined) return clock.now() + target.expiresAt - clock.wall()
    const ends = connections.map(({ expiresAt }) => expiresAt)
    return ends.length === 0 ? undefined : Math.max(clock.now() + 86_400_000, ...ends)
  }

  // Without `reauthorize` only a fresh token can say who it is now: the old one counts for `tokenLead` more.
  async #doubt(connections: readonly Connection[]): Promise<void> {
    if (this.#hasTokens && !this.rechecks.canAsk) {
      const { clock, gateway, settings } = this.#mount
      for (const connection of connections) {
        connection.expiresAt = Math.min(connection.expiresAt, clock.now() + settings.tokenLead)
        if (connection.phase === 'open') gateway.expiry.ask(connection, 0)
      }
    }
    await this.rechecks.checkAll(connections)
  }
}

const userKey = (id: string): string => `user ${id}`
const sessionKey = (id: string): string => `session ${id}`
const tokenKey = (id: string): string => `token ${id}`
const tokenKeys = (id: string | undefined): string[] => (id === undefined ? [] : [tokenKey(id)])
// A JWT says it in seconds: as ms that is past, and the id would be good again at once.
function checkEnd(expiresAt: unknown, now: number): void {
  if (expiresAt !== undefined && !(typeof expiresAt === 'number' && expiresAt > now))
    throw invalid('revoke: expiresAt in ms since 1970, and ahead (the `exp` of a JWT is in seconds)')
}

const invalid = (detail: string): AckordError => new AckordError('ACKORD_INVALID_OPTION', detail)
