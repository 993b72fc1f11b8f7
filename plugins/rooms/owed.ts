/** The `latest` values that a member could not be sent yet: only the newest of each. PROTOCOL.md § Rooms. */
import type { Message } from '../gateway/index.js'
import { LATEST_BYTES, LATEST_KEYS, type Publication } from './broker.js'
import { slotOf } from './latest.js'

interface Value {
  readonly message: Message
  readonly size: number
}

/**
 * At most as many values as the room itself keeps, and as large (`LATEST_KEYS`, `LATEST_BYTES`): beyond, the longest unchanged go, which a
 * joiner would not get either. The messages are shared with every other member.
 */
export class Owed {
  // A Map keeps the order of insertion, and each change inserts anew: the first is the longest unchanged.
  readonly #values = new Map<string, Value>()
  #size = 0

  /** How many values are owed. */
  get count(): number {
    return this.#values.size
  }

  /** Owes a value instead of the one it replaces. */
  set(publication: Publication, message: Message): void {
    const slot = slotOf(publication)
    // In UTF-16 units, which are never more than the bytes the room counts: what a room keeps can be owed.
    const size = publication.payload.length + slot.length
    this.#drop(slot)
    this.#values.set(slot, { message, size })
    this.#size += size
    for (const oldest of this.#values.keys()) {
      if (this.#values.size <= LATEST_KEYS && this.#size <= LATEST_BYTES) break
      this.#drop(oldest)
    }
  }

  /** The value that this publication replaces is owed no more. */
  forget(publication: Publication): void {
    if (this.#values.size > 0) this.#drop(slotOf(publication))
  }

  /** Takes the values that `take` accepts, the longest unchanged first, until it refuses one. */
  take(take: (message: Message) => boolean): void {
    for (const [slot, { message }] of this.#values) {
      if (!take(message)) return
      this.#drop(slot)
    }
  }

  #drop(slot: string): void {
    this.#size -= this.#values.get(slot)?.size ?? 0
    this.#values.delete(slot)
  }
}
