/** Joining and leaving: authorization, snapshot, replay, and the order in which a member sees them. PROTOCOL.md § Rooms. */
import { FRAMES, type FrameOf } from '../../contract/wire/index.js'
import { CallError, failureText, refuseCall } from '../calls/index.js'
import { AckordError } from '../errors.js'
import type { Connection, Hooks, JoinInfo, Mount } from '../gateway/index.js'
import { BrokerError, type Position, type ReadFrom } from './broker.js'
import { type CompiledRoom, checkedKey } from './compile.js'
import { Join } from './join.js'
import { type Replay, replayOf } from './replay.js'
import type { Member, Room } from './room.js'
import type { Rooms } from './rooms.js'

declare module '../gateway/connection.js' {
  interface ConnectionSlots {
    /** The rooms this connection is in. */
    rooms?: Map<Room, Member>
    /** How many joins are under way. */
    joins?: number
  }
}

/** Why a server ends a membership. PROTOCOL.md § Rooms. */
export type LeftWhy = 'evicted' | 'revoked' | 'closed'

/** Times a joiner reads again because too much was published meanwhile. */
const MAX_READS = 3

/** Where a joiner wants to start. */
type From = Pick<ReadFrom, 'since' | 'last'>

/** Handles JOIN and LEAVE of one namespace, and the server's own joins and evictions. */
export class Memberships {
  readonly #mount: Mount
  readonly #rooms: Rooms
  // Joins under way by room key: an eviction ends them too. In all at most what is in flight.
  readonly #joins = new Map<string, Set<Join>>()
  readonly #onJoin: ReadonlyArray<Hooks['onJoin']>
  readonly #onLeave: ReadonlyArray<Hooks['onLeave']>

  constructor(mount: Mount, rooms: Rooms) {
    this.#mount = mount
    this.#rooms = rooms
    this.#onJoin = mount.gateway.hooks.of('onJoin', mount.path)
    this.#onLeave = mount.gateway.hooks.of('onLeave', mount.path)
  }

  /** Handles JOIN. */
  readonly onJoin = (connection: Connection, frame: FrameOf<'JOIN'>): void => {
    const [, seq, name, params, since, last] = frame
    const refuse = (error: CallError): void => void connection.writer.send(failureText(seq, error))
    const join = new Join(connection, seq, this.#mount.clock, this.#mount.settings.callTimeout, refuse)
    if (!connection.begin(seq, join)) {
      refuse(refuseCall('OVERLOADED'))
      return
    }
    join.start()
    const from: From = {
      since: since ? { epoch: since[0], offset: since[1], tag: since[2] } : undefined,
      last: last ?? undefined,
    }
    this.#join(join, name, params, from)
      .catch((error: unknown) => join.end(this.#refusalFor(connection, error)))
      .finally(() => join.finish())
  }

  async #join(join: Join, name: string, params: unknown, from: From): Promise<void> {
    const definition = this.#rooms.definition(name)
    if (definition === undefined) throw refuseCall('UNKNOWN_ROOM')
    const key = this.#keyFor(definition, params)
    const { connection } = join
    const { slots } = connection
    if ((slots.rooms?.size ?? 0) + (slots.joins ?? 0) >= this.#mount.settings.maxRooms)
      throw refuseCall('OVERLOADED')
    slots.joins = (slots.joins ?? 0) + 1
    this.#track(key, join)
    try {
      await this.#authorize({ mount: this.#mount, connection, room: name, key, params }, definition)
      if (!join.over) await this.#enter(join, definition, key, params, from)
    } finally {
      slots.joins -= 1
      this.#untrack(key, join)
    }
  }

  #keyFor(definition: CompiledRoom, params: unknown): string {
    try {
      return checkedKey(definition, params)
    } catch (error) {
      if (!(error instanceof AckordError)) throw error
      if (definition.params.check(params))
        throw new CallError('INVALID_INPUT', { pointer: '', rule: 'KeyTooLong' })
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
    join: Join,
    definition: CompiledRoom,
    key: string,
    params: unknown,
    from: From,
  ): Promise<void> {
    const { connection, seq } = join
    await this.#rooms.use(definition, key, async (room) => {
      const replay = joined(room, connection) ? undefined : await this.#replay(room, connection, from)
      // From here to the end nothing is awaited: what is published next finds the member in the room.
      const present = joined(room, connection)
      if (!join.take()) return
      if (present !== undefined) {
        present.seq = seq
        sendJoined(connection, seq, room, NOTHING)
      } else if (replay !== undefined) {
        admit(room, { connection, params, seq, cursor: 0 }, replay)
      }
    })
  }

  // Whatever is published while the snapshot is read is either in it or among the recent.
  async #replay(room: Room, connection: Connection, from: From): Promise<Replay> {
    const client = connection.sessionKey
    for (let i = 0; i < MAX_READS; i++) {
      const recent = room.watch()
      try {
        const snapshot = await this.#rooms.read(room, { ...from, session: client })
        if (!recent.overrun) return replayOf(room, connection.writer, client, snapshot, recent.publications)
      } finally {
        room.unwatch(recent)
      }
    }
    throw refuseCall('OVERLOADED')
  }

  #refusalFor(connection: Connection, error: unknown): CallError {
    if (error instanceof CallError) return error
    if (error instanceof BrokerError && error.retry) return refuseCall('UNAVAILABLE')
    this.#mount.log.error(
      { err: error, connection: connection.id, user: connection.user.id },
      'ackord: a join failed',
    )
    return refuseCall('FORBIDDEN')
  }

  #track(key: string, join: Join): void {
    const joins = this.#joins.get(key)
    if (joins === undefined) this.#joins.set(key, new Set([join]))
    else joins.add(join)
  }

  #untrack(key: string, join: Join): void {
    const joins = this.#joins.get(key)
    if (joins?.delete(join) && joins.size === 0) this.#joins.delete(key)
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

  /** The server takes a connection in, without asking `join` or counting it. Harmless where it is in. */
  async joinByServer(connection: Connection, definition: CompiledRoom, params: unknown): Promise<void> {
    const key = checkedKey(definition, params)
    await this.#rooms.use(definition, key, async (room) => {
      const replay = await this.#replay(room, connection, {})
      if (connection.phase !== 'open' || room.members.has(connection)) return
      admit(room, { connection, params, seq: 0, cursor: 0 }, replay)
    })
  }

  /**
   * The server ends memberships in a room, and joins that are under way; how many. LEFT follows everything that was published
   * before.
   */
  evict(key: string, isMeant: (connection: Connection) => boolean, why: LeftWhy): number {
    let evicted = 0
    for (const join of this.#joins.get(key) ?? []) {
      if (join.over || !isMeant(join.connection)) continue
      join.end(refuseCall('FORBIDDEN'))
      evicted++
    }
    const room = this.#rooms.find(key)
    for (const member of room?.members.values() ?? []) {
      if (room === undefined || !isMeant(member.connection)) continue
      this.#leave(room, member, true)
      member.connection.send([FRAMES.LEFT.type, key, why])
      evicted++
    }
    return evicted
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
    const { key, definition } = room
    const info: JoinInfo = { mount: this.#mount, connection, room: definition.name, key, params }
    const failed = (error: unknown): void =>
      this.#mount.log.error({ err: error }, 'ackord: an onLeave hook failed')
    for (const onLeave of this.#onLeave) {
      try {
        // An async function fits where nothing is awaited; what it rejects with must not end the process.
        Promise.resolve(onLeave(info)).catch(failed)
      } catch (error) {
        failed(error)
      }
    }
  }
}

// Whom only the server joined has asked for nothing yet: its first JOIN is answered as any other.
function joined(room: Room, connection: Connection): Member | undefined {
  const member = room.members.get(connection)
  return member?.seq === 0 ? undefined : member
}

const NOTHING: Replay = { texts: [], position: undefined, gap: undefined }

function admit(room: Room, member: Member, replay: Replay): void {
  const { connection } = member
  sendJoined(connection, member.seq, room, replay)
  for (const text of replay.texts) connection.writer.send(text)
  room.add(member)
  connection.slots.rooms ??= new Map()
  connection.slots.rooms.set(room, member)
}

function sendJoined(connection: Connection, seq: number, room: Room, { texts, position, gap }: Replay): void {
  const place = position && wirePosition(position)
  connection.send([FRAMES.JOINED.type, seq, room.key, texts.length, place, gap])
}

const wirePosition = ({ epoch, offset, tag }: Position) => [epoch, offset, tag] as const
