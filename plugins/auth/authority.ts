/** Who may be here, of one namespace: authentication, tickets, revocation. docs/security.md. */

import { CLOSE } from '../../contract/wire/index.js'
import { type Cluster, ClusterError } from '../cluster/index.js'
import {
  type Admission,
  type Authenticator,
  type Connection,
  type Identity,
  type Mount,
  Refusal,
  type UpgradeInfo,
} from '../gateway/index.js'
import type { RedisHub } from '../redis/index.js'
import { RECENT_MS, RecentRevocations } from './recent.js'
import { type Reauthorize, Rechecks, revoke } from './recheck.js'
import { Refreshes } from './refresh.js'
import {
  keyOf,
  type Revocation,
  type RevokeOptions,
  type RevokeTarget,
  revocationOf,
  sessionKey,
} from './revocation.js'
import { RevocationLog } from './revocation-log.js'
import { RevokedTokens } from './revoked-tokens.js'
import { Sessions } from './sessions.js'
import { isTicket, ownersOf, TICKET_MS, type Tickets, tokenKeys, userKey } from './tickets.js'
import { MemoryTickets } from './tickets-memory.js'
import { RedisTickets } from './tickets-redis.js'

/** The other nodes, where there may be any. */
export interface Others {
  readonly hub: RedisHub
  readonly cluster: Cluster
}

/** Milliseconds that other nodes have to do what was revoked, until `revoke` resolves. */
const ASK_MS = 2000
/** Milliseconds that a revocation of a user or a session counts for nodes that are away. */
const KEPT_MS = 86_400_000
/** Milliseconds by which the clocks of two servers of one Redis may differ. */
const SKEW_MS = 1000
/** Milliseconds after which a revocation of a user or session meets nobody on their way in, and none an unused ticket: all of them began behind it. */
const PAST_MS = RECENT_MS + TICKET_MS

declare module '../gateway/connection.js' {
  interface ConnectionSlots {
    /** The clock's time before its first token was looked at. */
    authenticated?: number
  }
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
  // By upgrade: the last revocation before its token was looked at, and when that was.
  readonly #began = new WeakMap<UpgradeInfo, { readonly count: number; readonly at: number }>()
  readonly #others: Others | undefined
  readonly #log: RevocationLog | undefined
  /** Where nodes share a Redis, and sessions last longer than their connection. */
  readonly sessions: Sessions | undefined

  constructor(
    mount: Mount,
    authenticate: Authenticator,
    reauthorize: Reauthorize<Identity> | undefined,
    others: Others | undefined,
  ) {
    this.#mount = mount
    this.#authenticate = authenticate
    this.#hasTokens = mount.definition.options.authenticate !== 'none'
    this.rechecks = new Rechecks(mount, reauthorize)
    this.refreshes = new Refreshes(mount, this)
    this.#revoked = new RevokedTokens(() =>
      mount.log.warn('ackord: too many token ids are revoked; the one revoked first is accepted again'),
    )
    if (this.#hasTokens) mount.handle('TOKEN', this.refreshes.onToken)
    const { clock, log, path } = mount
    this.#others = others
    this.tickets = others ? new RedisTickets(others.hub, clock, path) : new MemoryTickets(clock)
    if (others === undefined) return
    const { hub, cluster } = others
    if (this.#hasTokens) this.sessions = new Sessions(mount, hub, cluster)
    const apply = (revocation: Revocation, ms: number): number => this.#applyOthers(revocation, ms)
    this.#log = new RevocationLog({ hub, clock, log, node: cluster.node, path, apply })
  }

  /** Learns what other nodes have revoked. Resolves when it has, and without Redis at once. */
  async start(): Promise<void> {
    await this.#log?.start()
  }

  stop(): void {
    this.rechecks.stop()
    this.#log?.stop()
    this.sessions?.stop()
  }

  /** The namespace's authenticator: its own, tickets besides, and no token that was revoked. */
  readonly authenticate: Authenticator = async (token, upgrade) => {
    this.#looked(upgrade)
    const identity =
      token !== undefined && this.offersTickets && isTicket(token)
        ? await this.#redeem(token, upgrade)
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
  async #redeem(ticket: string, { protocol }: UpgradeInfo): Promise<Identity> {
    const identity = await (protocol === '' ? this.tickets.look(ticket) : this.tickets.take(ticket))
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
    const isRevoked = (): boolean => this.#since(upgrade, ownersOf(identity)) !== undefined
    const revoked = new Refusal(401, 'UNAUTHORIZED', 'authorization was revoked')
    if (isRevoked()) throw revoked
    const ticket = await this.tickets.issue(identity)
    // What was revoked before this took back what was there then, and what is revoked from here on finds this one.
    if (!isRevoked()) return ticket
    await this.tickets.take(ticket)
    throw revoked
  }

  /**
   * A connection comes in: closes it where it was revoked while it did. Where it came into doubt, the promise of a check, behind which
   * this has to be asked again. `undefined` where nothing is in doubt.
   */
  vet(connection: Connection): Promise<void> | undefined {
    if (connection.phase === 'closed') return undefined
    connection.slots.authenticated ??= this.#began.get(connection.upgradeInfo)?.at ?? this.#mount.clock.now()
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
    this.#looked(upgradeInfo)
  }

  #looked(upgrade: UpgradeInfo): void {
    this.#began.set(upgrade, { count: this.#recent.count, at: this.#mount.clock.now() })
  }

  #since(upgrade: UpgradeInfo, keys: readonly string[]): ReturnType<RecentRevocations['since']> {
    return this.#recent.since(this.#began.get(upgrade)?.count ?? 0, keys)
  }

  /**
   * Revokes on this node, at once: before this returns, what is to be closed is closed, and what is on its way in is refused or checked.
   * Then on all others. Resolves when checks are done here and every node has begun, or after 2,000 ms, with how many connections were
   * meant on those that have. Rejects with ACKORD_INVALID_OPTION, and with a ClusterError, UNAVAILABLE, where it could not be written
   * down for the others: it is done on this node.
   */
  async revoke(target: RevokeTarget, options: RevokeOptions = {}): Promise<number> {
    const { clock } = this.#mount
    const revocation = revocationOf(target, options, clock.wall())
    const meant = this.#meant(revocation)
    const until = this.#endOf(revocation, meant)
    this.#recent.add(keyOf(revocation), revocation.verdict, clock.now())
    const tickets = this.tickets.revoke(keyOf(revocation))
    const checks = this.#apply(revocation, meant)
    const [others] = await Promise.all([this.#tellOthers(revocation, tickets, until), checks])
    return meant.length + others
  }

  async #tellOthers(revocation: Revocation, tickets: Promise<void>, until: number): Promise<number> {
    if (this.#others === undefined || this.#log === undefined) return 0
    const { path, log } = this.#mount
    // How long a token may be good, only this node may know.
    const isToken = revocation.kind === 'token' && revocation.verdict === 'close'
    const written = this.#log.add(isToken ? { ...revocation, expiresAt: until } : revocation, until)
    const [id] = await Promise.all([written, tickets]).catch((error: unknown) => {
      throw new ClusterError('UNAVAILABLE', NOT_TOLD, { cause: error })
    })
    let count = 0
    const options = { timeout: ASK_MS, nodes: 'others' } as const
    for await (const answer of this.#others.cluster.ask('auth.revoked', [path, id], options)) {
      if (answer.lost === undefined) count += Number(answer.value)
      else log.warn({ path, node: answer.node, lost: answer.lost }, `ackord: ${NOT_YET}`)
    }
    return count
  }

  /** Another node has written a revocation down: how many connections of this one it meant. Rejects with RedisUnavailable. */
  async revokedBy(id: string): Promise<number> {
    return this.#log === undefined ? 0 : this.#log.readTo(id)
  }

  // Whoever came in behind it is not meant: on each node their token was looked at in its own time.
  #applyOthers(revocation: Revocation, ms: number): number {
    const { clock, log, path } = this.#mount
    const now = clock.now()
    const key = keyOf(revocation)
    const cut = now - Math.max(0, ms - SKEW_MS)
    const isToken = revocation.kind === 'token' && revocation.verdict === 'close'
    const meant = this.#meant(revocation).filter(({ slots }) => isToken || (slots.authenticated ?? 0) <= cut)
    // Of a token, however long ago: who is on the way in by it was let in because this node did not know.
    if (isToken || ms <= PAST_MS) this.#recent.add(key, revocation.verdict, now)
    if (ms <= PAST_MS) {
      // Those that this node has made since the revoking one took them back.
      this.tickets.revoke(key).catch((error: unknown) => {
        log.warn({ err: error, path }, 'ackord: tickets that were revoked could not be taken back')
      })
    }
    void this.#apply(revocation, meant)
    return meant.length
  }

  // Rejects never.
  async #apply(revocation: Revocation, connections: readonly Connection[]): Promise<void> {
    const { clock } = this.#mount
    if (revocation.verdict === 'check') return this.#doubt(connections)
    if (revocation.kind === 'token') {
      const end = clock.now() + this.#endOf(revocation, connections) - clock.wall()
      this.#revoked.add(revocation.id, clock.now(), end)
    }
    for (const connection of connections) revoke(connection)
  }

  #meant({ kind, id }: Revocation): readonly Connection[] {
    const { connections } = this.#mount
    if (kind === 'user') return [...connections.ofUser(id)]
    if (kind === 'token') return [...connections.ofToken(id)]
    return [...connections].filter(({ session }) => session === id)
  }

  // In ms since 1970. Where the caller does not say, a day, or what is left of it on a connection: its token may have been shortened there.
  #endOf({ expiresAt, verdict }: Revocation, connections: readonly Connection[]): number {
    const { clock } = this.#mount
    const wall = clock.wall()
    if (expiresAt !== undefined) return Math.min(expiresAt, Number.MAX_SAFE_INTEGER)
    const ends = verdict === 'check' ? [] : connections.map((each) => wall + each.expiresAt - clock.now())
    return Math.min(Math.max(wall + KEPT_MS, ...ends), Number.MAX_SAFE_INTEGER)
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

const NOT_TOLD =
  'revoked on this node; Redis could not be told for the others: revoke again when it is back, it is connected to again by itself'
const NOT_YET = 'a node has not answered what was revoked yet; it does as soon as it reads the list in Redis'
