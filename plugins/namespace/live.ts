/** The surface behind `app.ackord(live)`: thin, untyped inside, typed once at its edge (types.ts). */
import { CLOSE } from '../../contract/wire/index.js'
import { authorityOf, type RevokeOptions, type RevokeTarget, revoke } from '../auth/index.js'
import { type Answer, type Answered, type AskOptions, type AskRound, eventsOf } from '../calls/index.js'
import type { Connection, Identity, Mount } from '../gateway/index.js'
import { type CompiledRoom, checkedKey, type Position, type Room, roomsOf } from '../rooms/index.js'
import { type Branch, tree } from './tree.js'

declare module '../gateway/connection.js' {
  interface ConnectionSlots {
    /** The connection as the application sees it; made when it first does. */
    live?: ConnectionView
  }
}

const DISCONNECT = {
  kicked: CLOSE.KICKED,
  revoked: CLOSE.REVOKED,
  reauthenticate: CLOSE.REAUTHENTICATE,
} as const

/** A connection as the application sees it. */
export class ConnectionView {
  readonly #connection: Connection

  constructor(connection: Connection) {
    this.#connection = connection
  }

  get id(): string {
    return this.#connection.id
  }

  get session(): string {
    return this.#connection.session
  }

  get user(): Identity {
    return this.#connection.user
  }

  get data(): unknown {
    return this.#connection.data
  }

  get since(): number {
    return this.#connection.since
  }

  get rooms(): string[] {
    return [...(this.#connection.slots.rooms?.keys() ?? [])].map((room) => room.key)
  }

  get buffered(): number {
    return this.#connection.writer.buffered
  }

  send(event: string, payload: unknown): boolean {
    return eventsOf(this.#connection.mount).send([this.#connection], event, payload) === 1
  }

  async ask(event: string, payload: unknown, options: AskOptions = {}): Promise<Answer> {
    return eventsOf(this.#connection.mount).ask([this.#connection], event, payload, options).first()
  }

  disconnect(code: keyof typeof DISCONNECT = 'kicked'): void {
    if (code === 'revoked') revoke(this.#connection)
    else this.#connection.close(DISCONNECT[code])
  }

  /** The connection behind a view. */
  static connectionOf(view: ConnectionView): Connection {
    return view.#connection
  }
}

/** The view of a connection: the same one each time. */
export function viewOf(connection: Connection): ConnectionView {
  connection.slots.live ??= new ConnectionView(connection)
  return connection.slots.live
}

/** Some connections at once. */
class AudienceView {
  readonly #mount: Mount
  readonly #connections: () => Iterable<Connection>

  constructor(mount: Mount, connections: () => Iterable<Connection>) {
    this.#mount = mount
    this.#connections = connections
  }

  send(event: string, payload: unknown): number {
    return eventsOf(this.#mount).send(this.#connections(), event, payload)
  }

  async ask(event: string, payload: unknown, options: AskOptions = {}): Promise<Answer> {
    return eventsOf(this.#mount).ask(this.#connections(), event, payload, options).first()
  }

  askAll(event: string, payload: unknown, options: AskOptions = {}): AsyncIterableIterator<MemberAnswerView> {
    return new Answers(eventsOf(this.#mount).ask(this.#connections(), event, payload, options))
  }
}

interface MemberAnswerView {
  readonly connection: ConnectionView
  readonly answer: Answer
}

// A generator would not stop waiting when a loop is left before its first answer.
class Answers implements AsyncIterableIterator<MemberAnswerView> {
  readonly #round: AskRound
  constructor(round: AskRound) {
    this.#round = round
  }
  async next(): Promise<IteratorResult<MemberAnswerView, undefined>> {
    const result = await this.#round.next()
    return result.done ? result : { done: false, value: viewAnswer(result.value) }
  }
  async return(): Promise<IteratorResult<MemberAnswerView, undefined>> {
    await this.#round.return()
    return { done: true, value: undefined }
  }
  [Symbol.asyncIterator](): this {
    return this
  }
}

const viewAnswer = ({ connection, answer }: Answered): MemberAnswerView => ({
  connection: viewOf(connection),
  answer,
})

/** How to publish, as the application says it. */
interface PublishOptionsView {
  readonly except?: ConnectionView
  readonly id?: string
}

/** One room, by its params. */
class RoomView {
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

  members(): ConnectionView[] {
    return this.#connections().map(viewOf)
  }

  join(connection: ConnectionView): Promise<void> {
    const { memberships } = roomsOf(this.#mount)
    return memberships.joinByServer(ConnectionView.connectionOf(connection), this.#definition, this.#params)
  }

  evict(who: ConnectionView | string, why: 'evicted' | 'revoked' = 'evicted'): number {
    const isMeant =
      typeof who === 'string'
        ? ({ user }: Connection): boolean => user.id === who
        : (connection: Connection): boolean => connection === ConnectionView.connectionOf(who)
    return roomsOf(this.#mount).memberships.evict(this.key, isMeant, why)
  }

  askAll(event: string, payload: unknown, options: AskOptions = {}): AsyncIterableIterator<MemberAnswerView> {
    return new Answers(eventsOf(this.#mount).ask(this.#connections(), event, payload, options))
  }

  #connections(): Connection[] {
    return [...(this.#room()?.members.keys() ?? [])]
  }

  #room(): Room | undefined {
    return roomsOf(this.#mount).rooms.find(this.key)
  }
}

/** A mounted namespace, for the rest of the API. */
export class LiveView {
  readonly all: AudienceView
  readonly room: Branch<(params: unknown) => RoomView>
  readonly #mount: Mount

  constructor(mount: Mount) {
    this.#mount = mount
    this.all = new AudienceView(mount, () => mount.connections)
    this.room = tree(
      Object.keys(mount.contract.rooms ?? {}),
      (name) => (params: unknown) => new RoomView(mount, roomsOf(mount).rooms.defined(name), params),
    )
  }

  *connections(): IterableIterator<ConnectionView> {
    for (const connection of this.#mount.connections)
      if (connection.phase === 'open') yield viewOf(connection)
  }

  revoke(target: RevokeTarget, options?: RevokeOptions): Promise<number> {
    return authorityOf(this.#mount).revoke(target, options)
  }

  user(id: string): AudienceView {
    return new AudienceView(this.#mount, () => this.#mount.connections.ofUser(id))
  }
}
