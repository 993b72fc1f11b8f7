/** From JOIN to JOINED: snapshot, replay, and the order in which a member sees them. PROTOCOL.md § Rooms. */
import { FRAMES, type FrameOf } from '../../contract/wire/index.js'
import { CallError, Deadlines, failureText, refuseCall } from '../calls/index.js'
import { AckordError } from '../errors.js'
import type { Connection, EnterInfo, Hooks, Mount } from '../gateway/index.js'
import { BrokerError, type ReadFrom } from './broker.js'
import type { CompiledRoom } from './compile.js'
import { Entrance, NOTHING_SHOWN, type Shown } from './entrance.js'
import { Join } from './join.js'
import { Member, wirePosition } from './member.js'
import { checkedKey } from './publishable.js'
import { type Replay, replayOf } from './replay.js'
import type { Room } from './room.js'
import type { Rooms } from './rooms.js'
import { logFailure, type Standing } from './standing.js'

declare module '../gateway/connection.js' {
  interface ConnectionSlots {
    /** The rooms this connection is in. */
    rooms?: Map<Room, Member>
    /** How many joins are under way. */
    joins?: number
  }
}

/** Times a joiner reads again because too much was published meanwhile. */
const MAX_READS = 3

/** Where a joiner wants to start. */
type From = Pick<ReadFrom, 'since' | 'last'>

/** Handles JOIN of one namespace, and the server's own joins. */
export class Joining {
  readonly #mount: Mount
  readonly #rooms: Rooms
  readonly #standing: Standing
  readonly #onEnter: ReadonlyArray<Hooks['onEnter']>
  // Joins under way by room key: an eviction ends them too. In all at most what is in flight.
  readonly #joins = new Map<string, Set<Join>>()
  readonly #deadlines: Deadlines

  constructor(mount: Mount, rooms: Rooms, standing: Standing) {
    this.#mount = mount
    this.#rooms = rooms
    this.#standing = standing
    this.#deadlines = new Deadlines(mount.clock)
    this.#onEnter = mount.gateway.hooks.of('onEnter', mount.path)
  }

  /** Handles JOIN. */
  readonly onJoin = (connection: Connection, frame: FrameOf<'JOIN'>): void => {
    const [, seq, name, params, since, last] = frame
    const refuse = (error: CallError): void => void connection.sendText(failureText(seq, error))
    const join = new Join(connection, seq, name, this.#deadlines, refuse)
    if (!connection.requests.begin(seq, join)) {
      refuse(refuseCall('OVERLOADED'))
      return
    }
    join.start(this.#mount.clock.now() + this.#mount.settings.callTimeout)
    const from: From = {
      since: since ? { epoch: since[0], offset: since[1], tag: since[2] } : undefined,
      last: last ?? undefined,
    }
    this.#join(join, name, params, from)
      .catch((error: unknown) => join.end(this.#refusalFor(connection, error)))
      .finally(() => join.finish())
  }

  async #join(join: Join, name: string, sent: unknown, from: From): Promise<void> {
    const definition = this.#rooms.definition(name)
    if (definition === undefined) throw refuseCall('UNKNOWN_ROOM')
    const { connection } = join
    const params = definition.paramsOf ? definition.paramsOf(connection) : sent
    const key = this.#keyFor(definition, params)
    const { slots } = connection
    if ((slots.rooms?.size ?? 0) + (slots.joins ?? 0) >= this.#mount.settings.maxRooms)
      throw refuseCall('OVERLOADED')
    slots.joins = (slots.joins ?? 0) + 1
    this.#track(key, join)
    try {
      // Once more where the answer was overtaken by a revocation. The deadline of the join ends it.
      for (let entered = false; !entered && !join.over; ) {
        const doubts = slots.doubts
        await this.#standing.ask({ mount: this.#mount, connection, room: name, key, params }, definition)
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
    const info = { mount: this.#mount, connection, room: definition.name, key, params, request: join }
    return this.#rooms.use(definition, key, (room) =>
      this.#start(room, info, from, (replay, entrance) => {
        if (connection.slots.doubts !== doubts) return false
        const present = joined(room, connection)
        // First: where it is refused the JOIN must not be answered yet.
        const start = present === undefined && !join.over ? replay() : NOTHING
        if (!join.take()) return true
        if (present === undefined) {
          admit(room, new Member(room, connection, params, seq), start, entrance)
        } else {
          present.seq = seq
          sendJoined(connection, seq, room, NOTHING, NOTHING_SHOWN)
        }
        return true
      }),
    )
  }

  /**
   * Reads where a joiner starts. Whatever is published meanwhile is either in the snapshot or among the recent: `enter` awaits nothing, so
   * that what is published next finds the member in the room, and what it is given still fits.
   */
  async #start<T>(
    room: Room,
    info: EnterInfo,
    from: From,
    enter: (replay: () => Replay, entrance: Entrance) => T,
  ): Promise<T> {
    const entrance = await Entrance.of(this.#onEnter, info)
    try {
      return await this.#read(room, info.connection, from, entrance, enter)
    } finally {
      entrance.cancel()
    }
  }

  async #read<T>(
    room: Room,
    connection: Connection,
    from: From,
    entrance: Entrance,
    enter: (replay: () => Replay, entrance: Entrance) => T,
  ): Promise<T> {
    const session = connection.sessionKey
    for (let i = 0; i < MAX_READS; i++) {
      const recent = room.watch()
      try {
        const snapshot = await this.#rooms.read(room, { ...from, session })
        if (recent.overrun) continue
        const replay = (): Replay => replayOf(room, connection, snapshot, recent.publications, entrance.bytes)
        return enter(replay, entrance)
      } finally {
        room.unwatch(recent)
      }
    }
    throw refuseCall('OVERLOADED')
  }

  #refusalFor(connection: Connection, error: unknown): CallError {
    if (error instanceof CallError) return error
    // Closed: another node has the room.
    if (error instanceof BrokerError && (error.retry || error.code === 'CLOSED'))
      return refuseCall('UNAVAILABLE')
    logFailure(this.#mount, connection, error)
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

  /** Refuses joins of a room that are under way; how many. */
  refuse(key: string, isMeant: (connection: Connection) => boolean): number {
    let refused = 0
    for (const join of this.#joins.get(key) ?? []) {
      if (join.over || !isMeant(join.connection)) continue
      join.end(refuseCall('FORBIDDEN'))
      refused++
    }
    return refused
  }

  /** The server takes a connection in, without asking `join` or counting it. Harmless where it is in. */
  async byServer(connection: Connection, definition: CompiledRoom, params: unknown): Promise<void> {
    const key = checkedKey(definition, params)
    await this.#rooms.use(definition, key, async (room) => {
      const info = { mount: this.#mount, connection, room: definition.name, key, params }
      await this.#start(room, info, {}, (replay, entrance) => {
        if (connection.phase !== 'open' || room.members.has(connection)) return
        admit(room, new Member(room, connection, params, 0), replay(), entrance)
      })
    })
  }
}

// Whom only the server joined has asked for nothing yet: its first JOIN is answered as any other.
function joined(room: Room, connection: Connection): Member | undefined {
  const member = room.members.get(connection)
  return member?.seq === 0 ? undefined : member
}

const NOTHING: Replay = { messages: [], owed: [], position: undefined, gap: undefined }

// A member first: whatever the sending comes to, the end of its connection finds it.
function admit(room: Room, member: Member, replay: Replay, entrance: Entrance): void {
  const { connection } = member
  // Before it is one: what the hooks tell the members is in its JOINED.
  const shown = entrance.enter()
  room.add(member)
  connection.slots.rooms ??= new Map()
  connection.slots.rooms.set(room, member)
  sendJoined(connection, member.seq, room, replay, shown)
  for (const message of replay.messages) member.sendFrames(message.frame(member.binary))
  for (const publication of replay.owed) member.owe(publication)
}

function sendJoined(
  connection: Connection,
  seq: number,
  room: Room,
  { messages, position, gap }: Replay,
  { presence, pack }: Shown,
): void {
  const place = position && wirePosition(position)
  const head = [FRAMES.JOINED.type, seq, room.key, messages.length, place, gap] as const
  if (presence === undefined) connection.send(head)
  else connection.sendText(`${JSON.stringify(head).slice(0, -1)},${presence}]`, pack)
}
