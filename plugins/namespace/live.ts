/** The surface behind `app.ackord(live)`: thin, untyped inside, typed once at its edge (types.ts). */
import { authorityOf, type RevokeOptions, type RevokeTarget } from '../auth/index.js'
import { type Answer, type AskOptions, firstAnswer } from '../calls/index.js'
import { clusterOf } from '../cluster/index.js'
import type { Mount } from '../gateway/index.js'
import { goesIntoInbox, publishIntoInbox } from '../inbox/index.js'
import { type Position, roomsOf } from '../rooms/index.js'
import { Answers } from './answers.js'
import { type ConnectionView, viewOf } from './connection-view.js'
import type { Target } from './members.js'
import { RoomView } from './room-view.js'
import { send } from './sends.js'
import { type Branch, tree } from './tree.js'
import type { LiveCount } from './types.js'

/** Some connections at once. */
class AudienceView {
  readonly #mount: Mount
  readonly #target: Target

  constructor(mount: Mount, target: Target) {
    this.#mount = mount
    this.#target = target
  }

  async send(
    event: string,
    payload: unknown,
    { id }: { readonly id?: string } = {},
  ): Promise<Position | undefined> {
    const [kind, name] = this.#target
    if (kind === 'user' && goesIntoInbox(this.#mount, event))
      return publishIntoInbox(this.#mount, name, event, payload, id)
    send(this.#mount, this.#target, event, payload)
    return undefined
  }

  async ask(event: string, payload: unknown, options: AskOptions = {}): Promise<Answer> {
    return firstAnswer(this.askAll(event, payload, options))
  }

  askAll(event: string, payload: unknown, options: AskOptions = {}): Answers {
    return new Answers(this.#mount, this.#target, event, payload, options)
  }
}

/** A mounted namespace, for the rest of the API. */
export class LiveView {
  readonly all: AudienceView
  readonly room: Branch<(params: unknown) => RoomView>
  readonly #mount: Mount

  constructor(mount: Mount) {
    this.#mount = mount
    this.all = new AudienceView(mount, ['all'])
    this.room = tree(
      Object.keys(mount.contract.rooms ?? {}),
      (name) => (params: unknown) => new RoomView(mount, roomsOf(mount).rooms.defined(name), params),
    )
  }

  *connections(): IterableIterator<ConnectionView> {
    for (const connection of this.#mount.connections)
      if (connection.phase === 'open') yield viewOf(connection)
  }

  async count(): Promise<LiveCount> {
    const nodes = clusterOf(this.#mount.gateway).nodes()
    const connections = nodes.reduce((sum, { counts }) => sum + (counts[this.#mount.path] ?? 0), 0)
    return { connections, nodes: nodes.length }
  }

  revoke(target: RevokeTarget, options?: RevokeOptions): Promise<number> {
    return authorityOf(this.#mount).revoke(target, options)
  }

  user(id: string): AudienceView {
    return new AudienceView(this.#mount, ['user', id])
  }
}
