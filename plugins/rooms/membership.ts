/** Joining and leaving: authorization, snapshot, replay, and the order in which a member sees them. PROTOCOL.md § Rooms. */
import { ERRORS, FRAMES, type FrameOf } from '../../contract/wire/index.js'
import { isOutage, Outages, within } from '../auth/index.js'
import { CallError, failureText, refuseCall } from '../calls/index.js'
import { AckordError } from '../errors.js'
import type { Connection, Hooks, JoinInfo, Mount } from '../gateway/index.js'
import { BrokerError, type Position, type ReadFrom } from './broker.js'
import { type CompiledRoom, checkedKey } from './compile.js'
import { Join } from './join.js'
import { Member } from './member.js'
import { type Replay, replayOf } from './replay.js'
import type { Room } from './room.js'
import type { Rooms } from './rooms.js'

declare module '../gateway/connection.js' {
  interface ConnectionSlots {
    /** The rooms this connection is in. */
    rooms?: Map<Room, Member>
    /** How many joins are under way. */
    joins?: number
    /** How often what it may do was put in doubt: a join that was asked for before is asked for again. */
    doubts?: number
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
  readonly #outages: Outages

  constructor(mount: Mount, rooms: Rooms) {
    this.#mount = mount
    this.#rooms = rooms
    this.#onJoin = mount.gateway.hooks.of('onJoin', mount.path)
    this.#onLeave = mount.gateway.hooks.of('onLeave', mount.path)
    this.#outages = new Outages(mount, 'join')
  }

  /** Handles JOIN. */
  readonly onJoin = (connection: Connection, frame: FrameOf<'JOIN'>): void => {
    const [, seq, name, params, since, last] = frame
    const refuse = (error: CallError): void => void connection.sendText(failureText(seq, error))
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
      // Once more where the answer was overtaken by a revocation. The deadline of the join ends it.
      for (let entered = false; !entered && !join.over; ) {
        const doubts = slots.doubts
        await this.#authorize({ mount: this.#mount, connection, room: name, key, params }, definition)
        if (!join.over) entered = await this.#enter(join, definition, key, params, from, doubts)
      }
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

  // False where its right to enter was put in doubt meanwhile.
  #enter(
    join: Join,
    definition: CompiledRoom,
    key: string,
    params: unknown,
    from: From,
    doubts: number | undefined,
  ): Promise<boolean> {
    const { connection, seq } = join
    return this.#rooms.use(definition, key, async (room) => {
      const replay = joined(room, connection) ? undefined : await this.#replay(room, connection, from)
      // From here to the end nothing is awaited: what is published next finds the member in the room.
      const present = joined(room, connection)
      if (connection.slots.doubts !== doubts) return false
      if (!join.take()) return true
      if (present !== undefined) {
        present.seq = seq
        sendJoined(connection, seq, room, NOTHING)
      } else if (replay !== undefined) {
        admit(room, new Member(connection, params, seq), replay)
      }
      return true
    })
  }

  // Whatever is published while the snapshot is read is either in it or among the recent.
  async #replay(room: Room, connection: Connection, from: From): Promise<Replay> {
    const client = connection.sessionKey
    for (let i = 0; i < MAX_READS; i++) {
      const recent = room.watch()
      try {
        const snapshot = await this.#rooms.read(room, { ...from, session: client })
        if (!recent.overrun) return replayOf(room, connection, snapshot, recent.publications)
      } finally {
        room.unwatch(recent)
      }
    }
    throw refuseCall('OVERLOADED')
  }

  #refusalFor(connection: Connection, error: unknown): CallError {
    if (error instanceof CallError) return error
    if (error instanceof BrokerError && error.retry) return refuseCall('UNAVAILABLE')
    this.#logFailure(connection, error)
    return refuseCall('FORBIDDEN')
  }

  #logFailure({ id, user }: Connection, error: unknown): void {
    this.#mount.log.error({ err: error, connection: id, user: user.id }, 'ackord: a join failed')
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
      admit(room, new Member(connection, params, 0), replay)
    })
  }

  /**
   * What a connection may do is in doubt: asks `join` again for each room that its client has joined, and for joins under way. Where it
   * refuses, the membership ends with LEFT `revoked`, and nothing of the room that is not yet written leaves any more. Where it cannot be
   * asked, the membership stays. A connection that only the server joined was never asked for: the server ends that, too.
   */
  async reauthorize(connection: Connection): Promise<void> {
    const { slots } = connection
    slots.doubts = (slots.doubts ?? 0) + 1
    for (const [room, member] of [...(slots.rooms ?? [])]) {
      const isMember = (): boolean => room.members.get(connection) === member
      if (member.seq > 0 && isMember() && !(await this.#mayStay(room, member)) && isMember()) {
        this.#expel(room, member, 'revoked')
      }
    }
  }

  async #mayStay({ definition, key }: Room, { connection, params }: Member): Promise<boolean> {
    const { clock, settings } = this.#mount
    const info: JoinInfo = {
      mount: this.#mount,
      connection,
      room: definition.name,
      key,
      params,
      again: true,
    }
    try {
      await within(clock, settings.callTimeout, () => this.#authorize(info, definition))
    } catch (error) {
      if (isNoAnswer(error)) {
        this.#outages.failed(error)
        return true
      }
      if (!(error instanceof CallError)) this.#logFailure(connection, error)
      return false
    }
    this.#outages.over()
    return true
  }

  /**
   * The server ends memberships in a room, and joins that are under way; how many. LEFT follows everything that was published
   * before; with `revoked`, everything that was written.
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
      this.#expel(room, member, why)
      evicted++
    }
    return evicted
  }

  #expel(room: Room, member: Member, why: LeftWhy): void {
    if (why === 'revoked') member.retract()
    this.#leave(room, member, why !== 'revoked')
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

// A refusal that says to try again is none: nobody knows.
const isNoAnswer = (error: unknown): boolean =>
  error instanceof CallError
    ? Object.entries(ERRORS).some(([code, { retry }]) => retry && code === error.code)
    : isOutage(error)

const NOTHING: Replay = { messages: [], owed: [], position: undefined, gap: undefined }

function admit(room: Room, member: Member, replay: Replay): void {
  const { connection } = member
  sendJoined(connection, member.seq, room, replay)
  for (const message of replay.messages) member.sendFrames(message.frame(member.binary))
  for (const [publication, message] of replay.owed) member.owe(publication, message)
  room.add(member)
  connection.slots.rooms ??= new Map()
  connection.slots.rooms.set(room, member)
}

function sendJoined(
  connection: Connection,
  seq: number,
  room: Room,
  { messages, position, gap }: Replay,
): void {
  const place = position && wirePosition(position)
  connection.send([FRAMES.JOINED.type, seq, room.key, messages.length, place, gap])
}

const wirePosition = ({ epoch, offset, tag }: Position) => [epoch, offset, tag] as const
