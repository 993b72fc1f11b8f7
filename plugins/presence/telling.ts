/** When the members of a room are told what has changed: at the end of the turn, and where much changes at most every 100 ms. */
import type { Timer } from '../../contract/clock.js'
import { FRAMES } from '../../contract/wire/index.js'
import { type Connection, type Flushable, Message, type Mount, type Pack } from '../gateway/index.js'
import type { View } from './view.js'

/** Milliseconds between two PRESENCE of a room, at least. */
export const TELL_MS = 100
/** Bytes of one PRESENCE, about; what is left follows in the next. */
const TELL_BYTES = 131_072

/** Tells the members of one room on this node. */
export class Telling implements Flushable {
  readonly #mount: Mount
  readonly #key: string
  readonly #view: View
  readonly #pack: Pack
  readonly #send: (message: Message) => void
  /** Members here, and the version of the view that they know. */
  readonly #members: ReadonlyMap<Connection, { readonly seen: number }>
  #toldAt = Number.NEGATIVE_INFINITY
  #scheduled = false
  #timer: Timer | undefined

  constructor(
    mount: Mount,
    key: string,
    view: View,
    members: ReadonlyMap<Connection, { readonly seen: number }>,
    pack: Pack,
    send: (message: Message) => void,
  ) {
    this.#mount = mount
    this.#key = JSON.stringify(key)
    this.#view = view
    this.#members = members
    this.#pack = pack
    this.#send = send
  }

  /** The view may have changed. */
  schedule(): void {
    if (this.#scheduled || !this.#view.hasChanges) return
    this.#scheduled = true
    const { clock, gateway } = this.#mount
    const wait = this.#toldAt + TELL_MS - clock.now()
    if (wait <= 0) gateway.turn.addRoom(this)
    else this.#timer = clock.setTimeout(this.#onTimer, wait)
  }

  readonly #onTimer = (): void => {
    this.#timer = undefined
    this.flush()
  }

  flush(): void {
    this.#scheduled = false
    if (this.#isKnown()) {
      this.#view.dropChanges()
      return
    }
    this.#toldAt = this.#mount.clock.now()
    const text = `[${FRAMES.S_PRESENCE.type},${this.#key},${this.#view.take(TELL_BYTES)}]`
    this.#send(new Message(text, this.#pack))
    this.schedule()
  }

  // One who joins a room alone knows from JOINED.
  #isKnown(): boolean {
    const { version } = this.#view
    for (const { seen } of this.#members.values()) if (seen !== version) return false
    return true
  }

  stop(): void {
    if (this.#timer !== undefined) this.#mount.clock.clearTimeout(this.#timer)
    this.#timer = undefined
  }
}
