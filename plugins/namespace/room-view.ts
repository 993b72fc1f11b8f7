/** A room as the rest of the API reaches it. */
import type { AskOptions } from '../calls/index.js'
import { type ClusterAnswer, ClusterError, clusterOf, LOST_MS, type LostWhy } from '../cluster/index.js'
import type { Mount } from '../gateway/index.js'
import { type PresentMember, presenceOf } from '../presence/index.js'
import { type CompiledRoom, checkedKey, type Position, roomsOf } from '../rooms/index.js'
import { Answers } from './answers.js'
import { texts } from './check.js'
import { ConnectionView, viewOf } from './connection-view.js'
import { connectionsOf, infoOf, memberOf, type Target } from './members.js'
import { type EvictBody, isMeantBy, KIND, type MembersBody } from './questions.js'
import type { MemberInfo } from './types.js'

/** Members that a room names. */
const MAX_MEMBERS = 10_000
/** Milliseconds in which the other nodes have to answer. */
const NODES_MS = 5000

/** How to publish, as the application says it. */
interface PublishOptionsView {
  readonly except?: ConnectionView
  readonly id?: string
}

/** One room, by its params. */
export class RoomView {
  readonly key: string
  readonly #mount: Mount
  readonly #definition: CompiledRoom
  readonly #params: unknown

  constructor(mount: Mount, definition: CompiledRoom, params: unknown) {
    this.#mount = mount
    this.#definition = definition
    this.#params = params
    this.key = checkedKey(definition, params)
  }

  async publish(
    event: string,
    payload: unknown,
    options: PublishOptionsView = {},
  ): Promise<Position | undefined> {
    const { except, id } = options
    return roomsOf(this.#mount).rooms.publish(this.#definition, this.key, event, payload, {
      except: except && ConnectionView.connectionOf(except).sessionKey,
      id,
    })
  }

  connections(): ConnectionView[] {
    return Array.from(connectionsOf(this.#mount, this.#target), viewOf)
  }

  presence(): Promise<readonly PresentMember[]> {
    return presenceOf(this.#mount).members(this.#definition.name, this.key)
  }

  async members(): Promise<MemberInfo[]> {
    const members = Array.from(connectionsOf(this.#mount, this.#target), memberOf)
    const body: MembersBody = { path: this.#mount.path, key: this.key }
    for await (const { node, value } of this.#others(KIND.MEMBERS, body)) {
      if (members.length >= MAX_MEMBERS) break
      const [connection, session, user] = texts(value, 3) ?? []
      if (connection !== undefined && session !== undefined && user !== undefined)
        members.push(infoOf(node, [connection, session, user]))
    }
    return members.slice(0, MAX_MEMBERS)
  }

  join(connection: ConnectionView): Promise<void> {
    const { memberships } = roomsOf(this.#mount)
    return memberships.joinByServer(ConnectionView.connectionOf(connection), this.#definition, this.#params)
  }

  async evict(
    who: ConnectionView | MemberInfo | string,
    why: 'evicted' | 'revoked' = 'evicted',
  ): Promise<number> {
    const { key } = this
    const meant = meantBy(who)
    const { memberships } = roomsOf(this.#mount)
    // Before anything is awaited: what is published next does not reach them.
    let evicted = memberships.evict(key, isMeantBy(meant), why)
    if (who instanceof ConnectionView) return evicted
    const nodes = typeof who === 'string' ? 'others' : [who.node].filter((node) => node !== this.#node)
    const body: EvictBody = { path: this.#mount.path, key, who: meant, why }
    for await (const { value } of this.#others(KIND.EVICT, body, nodes)) evicted += Number(value)
    return evicted
  }

  askAll(event: string, payload: unknown, options: AskOptions = {}): Answers {
    return new Answers(this.#mount, this.#target, event, payload, options)
  }

  get #target(): Target {
    return ['room', this.key]
  }

  get #node(): string {
    return this.#mount.gateway.node
  }

  // A node that is lost has no members any more. Throws a ClusterError where one that is not has not answered.
  async *#others(
    kind: string,
    body: MembersBody,
    nodes: readonly string[] | 'others' = 'others',
  ): AsyncGenerator<Extract<ClusterAnswer, { readonly value: unknown }>> {
    const cluster = clusterOf(this.#mount.gateway)
    for await (const answer of cluster.ask(kind, body, { timeout: NODES_MS, nodes })) {
      if (answer.lost === undefined) yield answer
      else if (answer.lost !== 'nodeLost')
        throw new ClusterError('UNAVAILABLE', incomplete(kind, answer.lost))
    }
  }
}

const WHY: Readonly<Record<Exclude<LostWhy, 'nodeLost'>, string>> = {
  unavailable: 'Redis is away, or lost a message between nodes; it is connected to again by itself',
  timeout: `a node that counts as alive has not answered within ${NODES_MS} ms; one that died counts as lost after ${LOST_MS} ms`,
  overloaded: 'a node has more questions than it takes',
  failed: 'a node failed to answer; its log says why',
}

const incomplete = (kind: string, why: Exclude<LostWhy, 'nodeLost'>): string =>
  `${kind === KIND.EVICT ? 'evicted on this node, but not known to be on all' : 'not every node has answered'}: ${WHY[why]}. Try again`

function meantBy(who: ConnectionView | MemberInfo | string): EvictBody['who'] {
  if (typeof who === 'string') return ['user', who]
  return ['connection', who instanceof ConnectionView ? who.id : who.connection]
}
