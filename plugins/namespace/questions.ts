/** What the nodes of a namespace ask each other: its connections' answers, its members, and to let some of them go. */
import { type Answer, type AskRound, eventsOf } from '../calls/index.js'
import type { Cluster } from '../cluster/index.js'
import type { Connection, Gateway, Mount } from '../gateway/index.js'
import { roomsOf } from '../rooms/index.js'
import { fieldsOf, targetOf, texts } from './check.js'
import { connectionsOf, type MemberRow, memberOf, rowOf, type Target } from './members.js'
import type { MemberInfo } from './types.js'

/** The kinds of questions. */
export const KIND = { ASK: 'live.ask', MEMBERS: 'live.members', EVICT: 'live.evict' } as const

/** Bytes of one answer of another node's connection. */
const ANSWER_BYTES = 500_000

/** Asks connections. */
export interface AskBody {
  readonly path: string
  readonly target: Target
  readonly event: string
  /** JSON text. */
  readonly payload: string
  readonly timeout: number
}

/** An answer on this node: nothing of it crosses a wire. */
export interface LocalAnswer {
  readonly member: MemberInfo
  readonly answer: Answer
}

/**
 * What another node says: whom it has asked, in rows, then `null`, then their answers by connection id. The value of an `answered` one is
 * JSON text.
 */
export type RemoteAnswer = MemberRow | null | { readonly of: string; readonly answer: Answer }

/** Lists the members of a room. */
export interface MembersBody {
  readonly path: string
  readonly key: string
}

/** Ends memberships of a room, of a user or of one connection. */
export interface EvictBody extends MembersBody {
  readonly who: readonly ['user' | 'connection', string]
  readonly why: 'evicted' | 'revoked'
}

/** Which connections an eviction means. */
export const isMeantBy =
  ([kind, name]: EvictBody['who']) =>
  ({ id, user }: Connection): boolean =>
    (kind === 'user' ? user.id : id) === name

/** Answers them on this node. What it cannot make sense of has no answer. */
export function serveQuestions(cluster: Cluster, gateway: Gateway): void {
  const mountOf = (path: unknown): Mount | undefined =>
    typeof path === 'string' ? gateway.paths.get(path) : undefined

  cluster.handle(KIND.ASK, (body, from, signal) => {
    const { path, target: sent, event, payload, timeout } = fieldsOf(body)
    const [mount, target] = [mountOf(path), targetOf(sent)]
    if (mount === undefined || target === undefined) return undefined
    if (typeof event !== 'string' || typeof payload !== 'string' || typeof timeout !== 'number')
      return undefined
    // A node of another version may know other events.
    if (mount.contract.events?.[event]?.ack === undefined) return undefined
    const connections = [...connectionsOf(mount, target)]
    const round = eventsOf(mount).askText(connections, event, payload, { timeout, signal })
    return from === cluster.node ? answersHere(round) : answersFor(mount, event, connections, round)
  })

  cluster.handle(KIND.MEMBERS, (body) => {
    const { path, key } = fieldsOf(body)
    const mount = mountOf(path)
    if (mount === undefined || typeof key !== 'string') return undefined
    return rows(connectionsOf(mount, ['room', key]))
  })

  cluster.handle(KIND.EVICT, (body) => {
    const { path, key, who, why } = fieldsOf(body)
    const [mount, [kind, name]] = [mountOf(path), texts(who, 2) ?? []]
    if (mount === undefined || typeof key !== 'string' || name === undefined) return undefined
    if (kind !== 'user' && kind !== 'connection') return undefined
    const isMeant = isMeantBy([kind, name])
    return roomsOf(mount).memberships.evict(key, isMeant, why === 'revoked' ? 'revoked' : 'evicted')
  })
}

async function* rows(connections: Iterable<Connection>): AsyncGenerator<MemberRow> {
  for (const connection of connections) yield rowOf(connection)
}

async function* answersHere(round: AskRound): AsyncGenerator<LocalAnswer> {
  for await (const { connection, answer } of round) yield { member: memberOf(connection), answer }
}

async function* answersFor(
  mount: Mount,
  event: string,
  asked: readonly Connection[],
  round: AskRound,
): AsyncGenerator<RemoteAnswer> {
  yield* rows(asked)
  yield null
  for await (const { connection, answer } of round)
    yield {
      of: connection.id,
      answer: answer.status === 'answered' ? sendable(mount, event, answer) : answer,
    }
}

function sendable(mount: Mount, event: string, { value }: { readonly value: unknown }): Answer {
  const text = eventsOf(mount).answerText(event, value)
  if (text === undefined) return { status: 'failed', code: 'INVALID' }
  return Buffer.byteLength(text) > ANSWER_BYTES
    ? { status: 'failed', code: 'TOO_LARGE' }
    : { status: 'answered', value: text }
}
