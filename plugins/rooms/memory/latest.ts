import { BrokerError, LATEST_BYTES, LATEST_KEYS, type Publication } from '../broker.js'
import { slotOf } from '../slot.js'

interface Value {
  readonly publication: Publication
  readonly bytes: number
}

/** The newest value per event and key of one room: at most `LATEST_KEYS` and `LATEST_BYTES`, beyond which the longest unchanged go. */
export class Latest {
  // A Map keeps the order of insertion, and each change inserts anew: the first is the longest unchanged.
  readonly #values = new Map<string, Value>()
  #bytes = 0

  /** How many values are kept. */
  get size(): number {
    return this.#values.size
  }

  /** Keeps a value instead of the one it replaces. Throws BrokerError `TOO_LARGE`, and then changes nothing. */
  set(publication: Publication): void {
    const key = slotOf(publication)
    const bytes = Buffer.byteLength(publication.payload) + Buffer.byteLength(key)
    if (bytes > LATEST_BYTES) {
      throw new BrokerError(
        'TOO_LARGE',
        `A latest value of ${bytes} bytes: a room keeps ${LATEST_BYTES} in all`,
      )
    }
    this.#drop(key)
    this.#values.set(key, { publication, bytes })
    this.#bytes += bytes
    for (const oldest of this.#values.keys()) {
      if (this.#values.size <= LATEST_KEYS && this.#bytes <= LATEST_BYTES) break
      this.#drop(oldest)
    }
  }

  /** The values that a session may see, the longest unchanged first. */
  values(session: string): Publication[] {
    const visible: Publication[] = []
    for (const { publication } of this.#values.values()) {
      if (publication.except !== session) visible.push(publication)
    }
    return visible
  }

  #drop(key: string): void {
    this.#bytes -= this.#values.get(key)?.bytes ?? 0
    this.#values.delete(key)
  }
}
