/** Memberships of one namespace: how they begin, what puts them in doubt, how they end. PROTOCOL.md § Rooms. */
import { FRAMES, type FrameOf } from '../../contract/wire/index.js'
import type { Connection, Hooks, JoinInfo, Mount } from '../gateway/index.js'
import type { CompiledRoom } from './compile.js'
import { Join } from './join.js'
import { Joining } from './joining.js'
import type { Member } from './member.js'
import type { Room } from './room.js'
import type { Rooms } from './rooms.js'
import { Standing } from './standing.js'

/** Why a server ends a membership. PROTOCOL.md § Rooms. */
export type LeftWhy = 'evicted' | 'revoked' | 'closed'

/** Handles JOIN and LEAVE of one namespace, and the server's own joins and evictions. */
export class Memberships {
  readonly #mount: Mount
  readonly #rooms: Rooms
  readonly #standing: Standing
  readonly #joining: Joining
  readonly #onLeave: ReadonlyArray<Hooks['onLeave']>

  constructor(mount: Mount, rooms: Rooms) {
    this.#mount = mount
    this.#rooms = rooms
    this.#standing = new Standing(mount)
    this.#joining = new Joining(mount, rooms, this.#standing)
    this.#onLeave = mount.gateway.hooks.of('onLeave', mount.path)
  }

  /** Handles JOIN. */
  readonly onJoin = (connection: Connection, frame: FrameOf<'JOIN'>): void =>
    this.#joining.onJoin(connection, frame)

  /** Handles LEAVE: of a JOIN under way, or of a membership. Of anything else it is ignored. */
  readonly onLeave = (connection: Connection, [, seq]: FrameOf<'LEAVE'>): void => {
    const waiting = connection.requests.get(seq)
    if (waiting instanceof Join) {
      waiting.cancel()
      return
    }
    for (const [room, member] of connection.slots.rooms ?? []) {
      if (member.seq === seq) this.#leave(room, member, false)
    }
  }

  /** See `Joining`. */
  joinByServer(connection: Connection, definition: CompiledRoom, params: unknown): Promise<void> {
    return this.#joining.byServer(connection, definition, params)
  }

  /** See `Standing`. Where it may not be in a room any more, that ends with LEFT `revoked`, and nothing of it leaves that is not yet written. */
  reauthorize(connection: Connection): Promise<void> {
    return this.#standing.reauthorize(connection, (room, member) => this.#expel(room, member, 'revoked'))
  }

  /**
   * The server ends memberships in a room, and joins that are under way; how many. LEFT follows everything that was published
   * before; with `revoked`, everything that was written.
   */
  evict(key: string, isMeant: (connection: Connection) => boolean, why: LeftWhy): number {
    let evicted = this.#joining.refuse(key, isMeant)
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
