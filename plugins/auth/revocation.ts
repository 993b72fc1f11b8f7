/** What may be revoked, and how that is said to other nodes. docs/security.md. */
import { AckordError } from '../errors.js'
import { tokenKey, userKey } from './tickets.js'

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

/** One revocation. */
export interface Revocation {
  readonly kind: 'user' | 'session' | 'token'
  readonly id: string
  readonly verdict: 'close' | 'check'
  /** Of a token: when it ends, in ms since 1970, where that was said. */
  readonly expiresAt?: number | undefined
}

/** Characters of an id. */
const MAX_ID = 1024

/** Throws ACKORD_INVALID_OPTION. `wall`: ms since 1970. */
export function revocationOf(
  target: RevokeTarget,
  { mode = 'close' }: RevokeOptions,
  wall: number,
): Revocation {
  const {
    user,
    session,
    tokenId,
    expiresAt,
  }: { user?: unknown; session?: unknown; tokenId?: unknown; expiresAt?: unknown } = target
  const [id, ...more] = [user, session, tokenId].filter((value) => value !== undefined)
  if (typeof id !== 'string' || id === '' || id.length > MAX_ID || more.length > 0)
    throw invalid(
      `revoke: one of { user }, { session } and { tokenId }, a text of at most ${MAX_ID} characters`,
    )
  if (mode !== 'close' && mode !== 'reauthorize') throw invalid("mode: 'close' or 'reauthorize'")
  const verdict = mode === 'close' ? 'close' : 'check'
  if (tokenId === undefined) return { kind: user === undefined ? 'session' : 'user', id, verdict }
  return { kind: 'token', id, verdict, expiresAt: endOf(expiresAt, wall) }
}

// A JWT says it in seconds: as ms that is past, and the id would be good again at once.
function endOf(expiresAt: unknown, wall: number): number | undefined {
  if (expiresAt === undefined || (typeof expiresAt === 'number' && expiresAt > wall)) return expiresAt
  throw invalid('revoke: expiresAt in ms since 1970, and ahead (the `exp` of a JWT is in seconds)')
}

const invalid = (detail: string): AckordError => new AckordError('ACKORD_INVALID_OPTION', detail)

/** The key of who is meant: of a user and of a token the same as of their tickets. */
export function keyOf({ kind, id }: Revocation): string {
  if (kind === 'user') return userKey(id)
  return kind === 'token' ? tokenKey(id) : sessionKey(id)
}

/** A session, as a key beside users and tokens. */
export const sessionKey = (id: string): string => `session ${id}`

/** As other nodes read it, `from` whom. */
export const revocationText = ({ kind, id, verdict, expiresAt }: Revocation, from: string): string =>
  JSON.stringify([from, kind, id, verdict, expiresAt])

/** What a node wrote; undefined where this version does not know it. */
export function readRevocation(
  text: string,
): { readonly from: string; readonly revocation: Revocation } | undefined {
  const [from, kind, id, verdict, expiresAt]: readonly unknown[] = listOf(text)
  if (typeof from !== 'string' || typeof id !== 'string') return undefined
  if (kind !== 'user' && kind !== 'session' && kind !== 'token') return undefined
  if (verdict !== 'close' && verdict !== 'check') return undefined
  const end = typeof expiresAt === 'number' ? expiresAt : undefined
  return { from, revocation: { kind, id, verdict, expiresAt: end } }
}

function listOf(text: string): readonly unknown[] {
  try {
    const list: unknown = JSON.parse(text)
    return Array.isArray(list) ? list : []
  } catch {
    return []
  }
}
