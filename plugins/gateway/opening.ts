/** From HELLO to WELCOME: who it is, and what is held until that is known. PROTOCOL.md § Opening, § First flight. */
import {
  CLOSE,
  type ClientFrame,
  type CloseCode,
  FEATURES,
  FRAMES,
  type FrameOf,
  Violation,
} from '../../contract/wire/index.js'
import type { Connection } from './connection.js'
import { FirstFlight } from './first-flight.js'
import { closeCodeOf, Refusal } from './gate/refusal.js'
import type { Identity } from './hooks.js'

const SESSION = /^[\w-]{1,64}$/
const KNOWN_FEATURES: readonly string[] = Object.keys(FEATURES)

/** The user of a connection before authentication; compared by reference, never shown to the application. */
export const NOBODY: Identity = Object.freeze({ id: '' })

/** One connection until it is open; nothing of this is kept then. */
export class Opening {
  readonly #connection: Connection
  readonly #held = new FirstFlight()

  constructor(connection: Connection) {
    this.#connection = connection
  }

  /** So much is held that nothing more may be read. */
  get isFull(): boolean {
    return this.#held.full
  }

  /** Takes a frame of so many bytes: HELLO first. Throws a Violation. */
  receive(frame: ClientFrame, bytes: number): void {
    const connection = this.#connection
    if (connection.phase === 'hello') {
      if (frame[0] !== FRAMES.HELLO.type) throw new Violation(CLOSE.UNEXPECTED_FRAME)
      if (!SESSION.test(frame[1])) throw new Violation(CLOSE.MALFORMED)
      // Rejects never: what fails on the way closes the connection.
      void this.#open(frame)
      return
    }
    if (frame[0] === FRAMES.HELLO.type) throw new Violation(CLOSE.UNEXPECTED_FRAME)
    if (frame[0] === FRAMES.BEAT.type) return
    this.#held.hold(frame, bytes)
    connection.requests.regulate()
  }

  async #open(hello: FrameOf<'HELLO'>): Promise<void> {
    const connection = this.#connection
    const { mount } = connection
    const [, session, hash, , features, token] = hello
    connection.phase = 'opening'
    connection.session = session
    // The names as we write them, once each: what else a peer names is not kept for it.
    if (features.length > 0) connection.features = KNOWN_FEATURES.filter((name) => features.includes(name))
    await mount.gateway.caps.line.turn()
    if (this.#hasEnded) return
    try {
      if (connection.user === NOBODY)
        connection.user = await mount.authenticate(
          token ?? undefined,
          connection.upgradeInfo,
          () => !this.#hasEnded,
        )
      if (this.#hasEnded) return
      await mount.admit(connection)
    } catch (error) {
      connection.close(this.#closeFor(error))
      return
    }
    if (this.#hasEnded) return
    connection.opened()
    mount.welcome(connection, hash)
    for (const frame of this.#held.frames) connection.dispatch(frame)
    connection.requests.regulate()
  }

  // The phase may have changed during an await, which narrowing cannot see.
  get #hasEnded(): boolean {
    return this.#connection.phase === 'closed'
  }

  #closeFor(error: unknown): CloseCode {
    if (error instanceof Refusal) return closeCodeOf(error)
    const { id, mount } = this.#connection
    mount.log.error({ err: error, connection: id }, 'ackord: a connection could not be opened')
    return CLOSE.SERVER_ERROR
  }
}
