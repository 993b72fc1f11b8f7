import { hash } from 'node:crypto'
import {
  BrokerError,
  type GapReason,
  type History,
  type Outgoing,
  type Position,
  type Publication,
  RECOVERY_BYTES,
  RECOVERY_MESSAGES,
  type ReadFrom,
} from '../broker.js'

/** The tag before the first publication of a log. */
export const FIRST_TAG = 0

/**
 * The tag of a publication: the first 48 bits of `sha1(previousTag ':' publishId)`, the tag in decimal. A chain: equal tags at one offset
 * mean that everything before was equal too. PROTOCOL.md § Positions.
 */
export function nextTag(previousTag: number, publishId: string): number {
  return Number.parseInt(hash('sha1', `${previousTag}:${publishId}`, 'hex').slice(0, 12), 16)
}

/** What a subscriber gets for what was published. */
export const publicationOf = (outgoing: Outgoing, position: Position | undefined): Publication => ({
  event: outgoing.event,
  delivery: outgoing.delivery,
  payload: outgoing.payload,
  latestKey: outgoing.latestKey,
  except: outgoing.except,
  position,
})

interface Entry {
  readonly publication: Publication
  readonly previousTag: number
  readonly bytes: number
  readonly at: number
}

/** The log of one room, in memory: recoverable publications within the bounds of its history, oldest first. */
export class Log {
  readonly #epoch: string
  readonly #history: History
  // By offset, which rise by one: the entries kept are those from #first to #offset.
  readonly #entries = new Map<number, Entry>()
  #first = 1
  #bytes = 0
  #offset = 0
  #tag = FIRST_TAG

  /** Starts an empty log. `epoch` must differ from that of any earlier log of the room. */
  constructor(history: History, epoch: string) {
    this.#history = history
    this.#epoch = epoch
  }

  /** The newest position; offset 0 before the first publication. */
  get head(): Position {
    return { epoch: this.#epoch, offset: this.#offset, tag: this.#tag }
  }

  /** How many entries are stored. */
  get size(): number {
    return this.#entries.size
  }

  /**
   * Appends, and trims what no longer fits. `id` is the publish id, given or random; `now` is the clock's, in milliseconds.
   * Throws BrokerError `TOO_LARGE`, and then changes nothing, where the payload alone is above the bound of bytes.
   */
  append(outgoing: Outgoing, id: string, now: number): Publication {
    const bytes = Buffer.byteLength(outgoing.payload)
    if (bytes > this.#history.bytes) {
      throw new BrokerError(
        'TOO_LARGE',
        `A payload of ${bytes} bytes: the history of this room keeps ${this.#history.bytes} in all`,
      )
    }
    const previousTag = this.#tag
    this.#tag = nextTag(previousTag, id)
    this.#offset += 1
    const publication = publicationOf(outgoing, this.head)
    this.#entries.set(this.#offset, { publication, previousTag, bytes, at: now })
    this.#bytes += bytes
    this.trim(now)
    return publication
  }

  /** Drops the oldest entries until count, age and bytes are within bounds. */
  trim(now: number): void {
    const { messages, seconds, bytes } = this.#history
    const oldest = now - seconds * 1000
    for (let entry = this.#entries.get(this.#first); entry; entry = this.#entries.get(this.#first)) {
      if (this.#entries.size <= messages && this.#bytes <= bytes && entry.at >= oldest) return
      this.#entries.delete(this.#first)
      this.#bytes -= entry.bytes
      this.#first += 1
    }
  }

  /** What a reader gets; trims first, so that nothing over-age is seen. */
  read(from: ReadFrom, now: number): { publications: Publication[]; gap: GapReason | undefined } {
    this.trim(now)
    if (from.since === undefined) return { publications: this.#newest(from), gap: undefined }
    const gap = this.#gapAfter(from.since)
    const missed = gap === undefined ? this.#after(from.since.offset, from.session) : undefined
    if (missed !== undefined) return { publications: missed, gap: undefined }
    return { publications: this.#newest(from), gap: gap ?? 'tooMany' }
  }

  /** Why the log cannot be continued from a position; `undefined` where it can. */
  #gapAfter({ epoch, offset, tag }: Position): GapReason | undefined {
    if (epoch !== this.#epoch) return 'epoch'
    if (!Number.isSafeInteger(offset) || offset < 0 || offset > this.#offset) return 'forked'
    if (offset < this.#first - 1) return 'trimmed'
    return tag === this.#tagAt(offset) ? undefined : 'forked'
  }

  /** The tag at an offset between the one before the first entry and the head. */
  #tagAt(offset: number): number {
    return this.#entries.get(offset + 1)?.previousTag ?? this.#tag
  }

  #after(offset: number, session: string): Publication[] | undefined {
    const missed: Publication[] = []
    let bytes = 0
    for (let at = offset + 1; at <= this.#offset; at++) {
      const entry = this.#entries.get(at)
      if (entry === undefined || entry.publication.except === session) continue
      bytes += entry.bytes
      if (missed.length === RECOVERY_MESSAGES || bytes > RECOVERY_BYTES) return undefined
      missed.push(entry.publication)
    }
    return missed
  }

  #newest({ last = 0, session }: ReadFrom): Publication[] {
    const newest: Publication[] = []
    const count = Math.min(last, RECOVERY_MESSAGES)
    let bytes = 0
    for (let at = this.#offset; at >= this.#first && newest.length < count; at--) {
      const entry = this.#entries.get(at)
      if (entry === undefined || entry.publication.except === session) continue
      bytes += entry.bytes
      if (bytes > RECOVERY_BYTES) break
      newest.push(entry.publication)
    }
    return newest.reverse()
  }
}
