/** Whether a connection may be in a room: asked for each JOIN, and again where that came into doubt. PROTOCOL.md § Rooms. */
import { ERRORS } from '../../contract/wire/index.js'
import { isOutage, Outages, within } from '../auth/index.js'
import { CallError, refuseCall } from '../calls/index.js'
import type { Connection, Hooks, JoinInfo, Mount } from '../gateway/index.js'
import type { CompiledRoom } from './compile.js'
import type { Member } from './member.js'
import type { Room } from './room.js'

declare module '../gateway/connection.js' {
  interface ConnectionSlots {
    /** How often what it may do was put in doubt: a join that was asked for before is asked for again. */
    doubts?: number
  }
}

/** Rooms of a connection that are asked again at a time. */
const AT_A_TIME = 64

/** Asks the hooks and `join` of one namespace. */
export class Standing {
  readonly #mount: Mount
  readonly #onJoin: ReadonlyArray<Hooks['onJoin']>
  readonly #outages: Outages

  constructor(mount: Mount) {
    this.#mount = mount
    this.#onJoin = mount.gateway.hooks.of('onJoin', mount.path)
    this.#outages = new Outages(mount, 'join')
  }

  /** Rejects where a connection may not be in a room: with FORBIDDEN, or what a hook or `join` threw. */
  async ask(info: JoinInfo, definition: CompiledRoom): Promise<void> {
    for (const onJoin of this.#onJoin) await onJoin(info)
    const { connection, params } = info
    const context = { user: connection.user, connection: this.#mount.surface.connection(connection) }
    if ((await definition.join(params, context)) !== true) throw refuseCall('FORBIDDEN')
  }

  /**
   * What a connection may do is in doubt: asks again for each room that its client has joined, 64 at a time, and for joins under
   * way. Where it may not be in one any more, `expel` is called. Where nobody can say within `callTimeout`, of all rooms
   * together, the membership stays. A connection that only the server joined was never asked for: the server ends that, too.
   */
  async reauthorize(connection: Connection, expel: (room: Room, member: Member) => void): Promise<void> {
    const { slots } = connection
    slots.doubts = (slots.doubts ?? 0) + 1
    const { clock, settings } = this.#mount
    const end = clock.now() + settings.callTimeout
    // All take from one iterator: who is done with a room goes on with the next.
    const rooms = [...(slots.rooms ?? [])].values()
    const askOneByOne = async (): Promise<void> => {
      for (const [room, member] of rooms) {
        const isMember = (): boolean => room.members.get(connection) === member
        if (member.seq > 0 && isMember() && !(await this.#mayStay(room, member, end)) && isMember())
          expel(room, member)
      }
    }
    await Promise.all(Array.from({ length: AT_A_TIME }, askOneByOne))
  }

  async #mayStay({ definition, key }: Room, { connection, params }: Member, end: number): Promise<boolean> {
    const { clock } = this.#mount
    const info: JoinInfo = {
      mount: this.#mount,
      connection,
      room: definition.name,
      key,
      params,
      again: true,
    }
    try {
      await within(clock, end - clock.now(), () => this.ask(info, definition))
    } catch (error) {
      if (isNoAnswer(error)) {
        this.#outages.failed(error)
        return true
      }
      if (!(error instanceof CallError)) logFailure(this.#mount, connection, error)
      return false
    }
    this.#outages.over()
    return true
  }
}

/** Logs what a hook or `join` threw that is no refusal. */
export function logFailure(mount: Mount, { id, user }: Connection, error: unknown): void {
  mount.log.error({ err: error, connection: id, user: user.id }, 'ackord: a join failed')
}

// A refusal that says to try again is none: nobody knows.
const isNoAnswer = (error: unknown): boolean =>
  error instanceof CallError
    ? Object.entries(ERRORS).some(([code, { retry }]) => retry && code === error.code)
    : isOutage(error)
