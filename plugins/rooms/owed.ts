/** The `latest` values that a member could not be sent yet: only the newest of each. PROTOCOL.md § Rooms. */
import { LATEST_BYTES, LATEST_KEYS, type Publication } from './broker.js'
import { slotOf } from './slot.js'

declare module '../gateway/connection.js' {
  interface ConnectionSlots {
    /** Of how many bytes all its memberships are owed values: their payloads and keys, and `ENTRY_BYTES` each. */
    owed?: number
  }
}

/** Bytes that a connection may be owed in all its rooms: so much `latest` at the bound of 64 rooms, and a little. docs/limits.md. */
export const OWED_BYTES = 33_554_432
/** What a value costs beside its payload and key. */
const ENTRY_BYTES = 128

interface Value {
  readonly publication: Publication
  readonly size: number
}

/** What one value counts towards `OWED_BYTES`. In UTF-16 units, which are never more than the bytes the room counts. */
export const owedBytes = (publication: Publication): number =>
  publication.payload.length + slotOf(publication).length + ENTRY_BYTES

/**
 * At most as many values as the room itself keeps, and as large (`LATEST_KEYS`, `LATEST_BYTES`): beyond, the longest unchanged go, which a
 * joiner would not get either. They are the publications that the room and its broker hold, not copies; but for those that came in a
 * message with others, of which they would hold all.
 */
export class Owed {
  // A Map keeps the order of insertion, and each change inserts anew: the first is the longest unchanged.
  readonly #values = new Map<string, Value>()
  readonly #slots: { owed?: number }
  #size = 0

  /** `slots`: where the connection counts what all its memberships are owed. */
  constructor(slots: { owed?: number }) {
    this.#slots = slots
  }

  /** How many values are owed. */
  get count(): number {
    return this.#values.size
  }

  /** Owes a value instead of the one it replaces. */
  set(publication: Publication): void {
    const slot = slotOf(publication)
    const size = publication.payload.length + slot.length
    this.#drop(slot)
    this.#values.set(slot, { publication: withoutFrame(publication), size })
    this.#grow(size, ENTRY_BYTES)
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
  take(take: (publication: Publication) => boolean): void {
    for (const [slot, { publication }] of this.#values) {
      if (!take(publication)) return
      this.#drop(slot)
    }
  }

  /** Nothing is owed any more. */
  clear(): void {
    for (const slot of this.#values.keys()) this.#drop(slot)
  }

  #drop(slot: string): void {
    const value = this.#values.get(slot)
    if (value === undefined) return
    this.#values.delete(slot)
    this.#grow(-value.size, -ENTRY_BYTES)
  }

  #grow(size: number, overhead: number): void {
    this.#size += size
    this.#slots.owed = (this.#slots.owed ?? 0) + size + overhead
  }
}

function withoutFrame(publication: Publication): Publication {
  if (publication.frame === undefined) return publication
  const { event, delivery, payload, latestKey, except, position } = publication
  return { event, delivery, payload, latestKey, except, position }
}
