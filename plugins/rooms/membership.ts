/** Joining and leaving: authorization, snapshot, replay, and the order in which a member sees them. PROTOCOL.md § Rooms. */
import type { Clock, Timer } from '../../contract/clock.js'
import { FRAMES, type FrameOf } from '../../contract/wire/index.js'
import { CallError, refuseCall } from '../calls/index.js'
import { AckordError } from '../errors.js'
import type { Connection, Hooks, JoinInfo, Mount, Request } from '../gateway/index.js'
import { BrokerError, type Position, type Publication, type Snapshot } from './broker.js'
import { type CompiledRoom, checkedKey } from './compile.js'
import type { Member, Room } from './room.js'
import type { Rooms } from './rooms.js'

declare module '../gateway/connection.js' {
  interface ConnectionSlots {
    /** The rooms this connection is in. */
    rooms?: Map<Room, Member>
    /** Joins under way. */
    joins?: number
  }
}

/** Why a server ends a membership. PROTOCOL.md § Rooms. */
export type LeftWhy = 'evicted' | 'revoked' | 'closed'

/** Times a joiner reads again because too much was published meanwhile. */
const MAX_READS = 3

/** Where a joiner wants to start. */
interface From {
  readonly since: Position | undefined
  readonly last: number | undefined
}

/** A JOIN on its way. Ends once: in the room, refused, cancelled, or late. */
class Join implements Request {
  ended = false
  readonly #clock: Clock
  readonly #ms: number
  readonly #onEnd: (error: unknown) => void
  #timer: Timer | undefined

  constructor(clock: Clock, ms: number, onEnd: (error: unknown) => void) {
    this.#clock = clock
    this.#ms = ms
    this.#onEnd = onEnd
  }

  start(): void {
    this.#timer = this.#clock.setTimeout(() => this.end(refuseCall('TIMEOUT')), this.#ms)
  }

  cancel(): void {
    this.end(refuseCall('CANCELLED'))
  }

  /** `error` is `undefined` where the connection is in the room. */
  end(error: unknown): void {
    if (this.ended) return
    this.ended = true
    if (this.#timer !== undefined) this.#clock.clearTimeout(this.#timer)
    this.#onEnd(error)
  }
}

/** Handles JOIN and LEAVE of one namespace, and the server's own joins and evictions. */
export class Memberships {
  readonly #mount: Mount
  readonly #rooms: Rooms
  readonly #clock: Clock
  readonly #onJoin: ReadonlyArray<Hooks['onJoin']>
  readonly #onLeave: ReadonlyArray<Hooks['onLeave']>

  constructor(mount: Mount, rooms: Rooms) {
    this.#mount = mount
    this.#rooms = rooms
    this.#clock = mount.clock
    this.#onJoin = mount.gateway.hooks.of('onJoin', mount.path)
    this.#onLeave = mount.gateway.hooks.of('onLeave', mount.path)
  }

  /** Handles JOIN. */
  readonly onJoin = (connection: Connection, frame: FrameOf<'JOIN'>): void => {
    const [, seq, name, params, since, last] = frame
    const join = new Join(this.#clock, this.#mount.settings.callTimeout, (error) => {
      if (error !== undefined && connection.settle(seq)) this.#refuse(connection, seq, error)
      connection.finish()
    })
    if (!connection.begin(seq, join)) {
      this.#refuse(connection, seq, refuseCall('OVERLOADED'))
      return
    }
    join.start()
    const from: From = {
      since: since ? { epoch: since[0], offset: since[1], tag: since[2] } : undefined,
      last: last ?? undefined,
    }
    this.#join(connection, join, seq, name, params, from).then(
      () => join.end(undefined),
      (error: unknown) => join.end(error),
    )
  }

  async #join(
    connection: Connection,
    join: Join,
    seq: number,
    name: string,
    params: unknown,
    from: From,
  ): Promise<void> {
    const definition = this.#rooms.definition(name)
    if (definition === undefined) throw refuseCall('UNKNOWN_ROOM')
    const key = this.#keyFor(definition, params)
    const { slots } = connection
    if ((slots.rooms?.size ?? 0) + (slots.joins ?? 0) >= this.#mount.settings.maxRooms)
      throw refuseCall('OVERLOADED')
    slots.joins = (slots.joins ?? 0) + 1
    try {
      await this.#authorize({ mount: this.#mount, connection, room: name, key, params }, definition)
      if (!join.ended) await this.#enter(connection, join, seq, definition, key, params, from)
    } finally {
      slots.joins -= 1
    }
  }

  #keyFor(definition: CompiledRoom, params: unknown): string {
    try {
      return checkedKey(definition, params)
    } catch (error) {
      if (!(error instanceof AckordError)) throw error
      throw new CallError('INVALID_INPUT', definition.params.explain(params))
    }
  }

  async #authorize(info: JoinInfo, definition: CompiledRoom): Promise<void> {
    for (const onJoin of this.#onJoin) await onJoin(info)
    const { connection, params } = info
    const context = { user: connection.user, connection: this.#mount.surface.connection(connection) }
    if ((await definition.join(params, context)) !== true) throw refuseCall('FORBIDDEN')
  }

  async #enter(
    connection: Connection,
    join: Join,
    seq: number,
    definition: CompiledRoom,
    key: string,
    params: unknown,
    from: From,
  ): Promise<void> {
    await this.#rooms.use(definition, key, async (room) => {
      const present = room.members.get(connection)
      // Whom the server joined has asked for nothing yet: its first JOIN is answered as any other.
      if (present !== undefined && present.seq !== 0) {
        if (!connection.settle(seq)) return
        present.seq = seq
        sendJoined(connection, seq, room, 0, undefined)
        return
      }
      const { snapshot, recent } = await this.#snapshot(room, from, connection.sessionKey)
      // From here to the end nothing is awaited: what is published next finds the member in the room.
      if (join.ended || !connection.settle(seq)) return
      this.#admit(room, { connection, params, seq, cursor: 0 }, snapshot, recent)
    })
  }

  // Whatever is published while the snapshot is read is either in it or among the recent.
  async #snapshot(
    room: Room,
    { since, last }: From,
    session: string,
  ): Promise<{ snapshot: Snapshot; recent: readonly Publication[] }> {
    for (let i = 0; i < MAX_READS; i++) {
      room.keepRecent()
      const snapshot = await this.#rooms.read(room, { since, last, session })
      const recent = room.recent()
      if (recent !== undefined) return { snapshot, recent: after(recent, snapshot, session) }
      room.forgetRecent()
    }
    throw refuseCall('OVERLOADED')
  }

  #admit(room: Room, member: Member, snapshot: Snapshot, recent: readonly Publication[]): void {
    const { connection } = member
    let replay = [...snapshot.publications, ...snapshot.latest, ...recent].map((publication) =>
      room.encode(publication),
    )
    let { gap } = snapshot
    // Three bytes a unit and ten a header are the most a text can take.
    if (!connection.writer.fits(replay.reduce((bytes, text) => bytes + 3 * text.length + 10, 1024))) {
      if (snapshot.latest.length > 0) throw refuseCall('OVERLOADED')
      replay = []
      gap = 'tooMany'
    }
    sendJoined(connection, member.seq, room, replay.length, snapshot.position, gap)
    for (const text of replay) connection.writer.send(text)
    room.add(member)
    connection.slots.rooms ??= new Map()
    connection.slots.rooms.set(room, member)
  }

  #refuse(connection: Connection, seq: number, error: unknown): void {
    const refusal = error instanceof CallError ? error : this.#unexpected(connection, error)
    connection.send([FRAMES.FAIL.type, seq, refusal.code, refusal.data, refusal.retryAfter])
  }

  #unexpected(connection: Connection, error: unknown): CallError {
    if (error instanceof BrokerError && error.retry) return refuseCall('UNAVAILABLE')
    this.#mount.log.error(
      { err: error, connection: connection.id, user: connection.user.id },
      'ackord: a join failed',
    )
    return refuseCall('FORBIDDEN')
  }

  /** Handles LEAVE: of a JOIN under way, or of a membership. Of anything else it is ignored. */
  readonly onLeave = (connection: Connection, [, seq]: FrameOf<'LEAVE'>): void => {
    const waiting = connection.request(seq)
    if (waiting instanceof Join) {
      waiting.cancel()
      return
    }
    for (const [room, member] of connection.slots.rooms ?? []) {
      if (member.seq === seq) this.#leave(room, member, false)
    }
  }

  /** The server takes a connection in, without asking `join`. Harmless where it is in. */
  async joinByServer(connection: Connection, definition: CompiledRoom, params: unknown): Promise<void> {
    const key = checkedKey(definition, params)
    await this.#rooms.use(definition, key, async (room) => {
      const { snapshot, recent } = await this.#snapshot(
        room,
        { since: undefined, last: undefined },
        connection.session,
      )
      if (connection.phase !== 'open' || room.members.has(connection)) return
      this.#admit(room, { connection, params, seq: 0, cursor: 0 }, snapshot, recent)
    })
  }

  /** The server ends a membership: LEFT follows everything that was published before. */
  evict(room: Room, member: Member, why: LeftWhy): void {
    this.#leave(room, member, true)
    member.connection.send([FRAMES.LEFT.type, room.key, why])
  }

  /** A connection ended: it leaves every room. */
  leaveAll(connection: Connection): void {
    for (const [room, member] of connection.slots.rooms ?? []) this.#leave(room, member, false)
  }

  #leave(room: Room, member: Member, last: boolean): void {
    const { connection, params } = member
    room.remove(member, last)
    connection.slots.rooms?.delete(room)
    this.#rooms.release(room)
    const info: JoinInfo = {
      mount: this.#mount,
      connection,
      room: room.definition.name,
      key: room.key,
      params,
    }
    for (const onLeave of this.#onLeave) {
      try {
        onLeave(info)
      } catch (error) {
        this.#mount.log.error({ err: error }, 'ackord: an onLeave hook threw')
      }
    }
  }
}

function after(recent: readonly Publication[], snapshot: Snapshot, session: string): readonly Publication[] {
  const head = snapshot.position?.offset ?? 0
  return recent.filter(
    ({ delivery, position, except }) =>
      except !== session && (delivery === 'latest' || (position !== undefined && position.offset > head)),
  )
}

function sendJoined(
  connection: Connection,
  seq: number,
  room: Room,
  replayed: number,
  position: Position | undefined,
  gap?: string,
): void {
  const place = position && ([position.epoch, position.offset, position.tag] as const)
  connection.send([FRAMES.JOINED.type, seq, room.key, replayed, place, gap])
}
