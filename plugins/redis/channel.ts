/** A channel that somebody listens to. */

/** Listeners of one channel. */
const MAX_LISTENERS = 1000

/** What hears the messages of a channel. Must not throw; what it throws is handed to the channel's owner. */
export type Listener = (message: Buffer) => void

/** Who owns the channels. */
export interface ChannelHost {
  /** Nobody listens to it, and the server knows. */
  onGone(channel: Channel): void
  onError(error: unknown): void
}

/** Its listeners, and whether its server has confirmed it. */
export class Channel {
  readonly name: string
  /** In a Cluster; else 0. */
  readonly slot: number
  /** By the server that it is at now. */
  isSubscribed = false
  readonly #host: ChannelHost
  // Of objects: one function may listen twice.
  readonly #listeners = new Set<{ readonly listener: Listener }>()
  readonly #waiting = new Set<() => void>()

  constructor(host: ChannelHost, name: string, slot: number) {
    this.#host = host
    this.name = name
    this.slot = slot
  }

  get isWanted(): boolean {
    return this.#listeners.size > 0
  }

  /** Adds a listener; what ends it, or undefined where there are 1,000. */
  listen(listener: Listener): (() => void) | undefined {
    if (this.#listeners.size >= MAX_LISTENERS) return undefined
    const entry = { listener }
    this.#listeners.add(entry)
    return () => void this.#listeners.delete(entry)
  }

  /** Calls back when the server confirms it. Returns what ends the wait. */
  wait(confirmed: () => void): () => void {
    this.#waiting.add(confirmed)
    return () => void this.#waiting.delete(confirmed)
  }

  /** The server has confirmed it. */
  subscribed(): void {
    this.isSubscribed = true
    const waiting = [...this.#waiting]
    this.#waiting.clear()
    for (const confirmed of waiting) confirmed()
  }

  /** See `ChannelHost.onGone`. */
  gone(): void {
    this.#host.onGone(this)
  }

  deliver(message: Buffer): void {
    for (const { listener } of this.#listeners) {
      try {
        listener(message)
      } catch (error) {
        this.#host.onError(error)
      }
    }
  }
}
