/** What a client sends right behind HELLO, held until it is known who sends it. PROTOCOL.md § First flight. */
import { type ClientFrame, FIRST_FLIGHT } from '../../contract/wire/index.js'

/** The frames held for one opening connection. Full at 16 frames or 64 KiB: the socket is then paused. */
export class FirstFlight {
  #frames: ClientFrame[] = []
  #bytes = 0

  /** Whether the socket has to be paused; what was read before that still comes in. */
  get full(): boolean {
    return this.#bytes >= FIRST_FLIGHT.bytes || this.#frames.length >= FIRST_FLIGHT.frames
  }

  hold(frame: ClientFrame, bytes: number): void {
    this.#frames.push(frame)
    this.#bytes += bytes
  }

  /** What was held, in order. */
  get frames(): readonly ClientFrame[] {
    return this.#frames
  }
}
