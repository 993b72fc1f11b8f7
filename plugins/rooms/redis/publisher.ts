/** What this node publishes, on its way into Redis: per room in order, one batch at a time. docs/decisions/room-log.md. */
// Taken at load, so that fake timers a user installs later do not stop it.
import { setImmediate } from 'node:timers'
import { BrokerError, type Outgoing, type Position, type RoomLog } from '../broker.js'

/** Publications of one room that may wait; one more is `UNAVAILABLE`. */
export const PENDING_PUBLICATIONS = 16_384
/** Bytes of payload that may wait in one room; a single publication may be larger. */
export const PENDING_BYTES = 4_194_304
/** Bytes of payload that may wait or be under way in all rooms. */
export const PENDING_BYTES_IN_ALL = 67_108_864
// What one script takes: Redis does nothing else meanwhile.
const BATCH_PUBLICATIONS = 256
const BATCH_BYTES = 262_144

/** What became of a publication: its position, nothing, or why it was refused. */
export type Outcome = Position | undefined | BrokerError

/** Sends one batch; an outcome for each. Rejects where all of it failed. */
export type SendBatch = (
  room: string,
  log: RoomLog,
  batch: readonly Outgoing[],
) => Promise<readonly Outcome[]>

interface Pending {
  readonly outgoing: Outgoing
  readonly bytes: number
  resolve(position: Position | undefined): void
  reject(error: unknown): void
}

/** Collects what a turn of the event loop publishes, and sends it in one batch per room; the next when that one was answered. */
export class Publisher {
  readonly #send: SendBatch
  readonly #lines = new Map<string, Line>()
  #fresh: Line[] = []
  #bytes = 0
  #closed = false

  constructor(send: SendBatch) {
    this.#send = send
  }

  /** Resolves as `Broker.publish` does. */
  publish(room: string, log: RoomLog, outgoing: Outgoing): Promise<Position | undefined> {
    return new Promise((resolve, reject) => {
      if (this.#closed) {
        reject(closedError())
        return
      }
      const bytes = Buffer.byteLength(outgoing.payload)
      const line = this.#lines.get(room) ?? this.#begin(room, log)
      if (!line.takes(bytes) || this.#bytes + bytes > PENDING_BYTES_IN_ALL) {
        reject(
          new BrokerError(
            'UNAVAILABLE',
            `Too much waits to be published in ${room}; try again under the same id`,
          ),
        )
        return
      }
      this.#bytes += bytes
      line.push({ outgoing, bytes, resolve, reject })
    })
  }

  /** Refuses what waits and all that comes. What is under way is still answered. */
  close(): void {
    this.#closed = true
    for (const line of this.#lines.values()) {
      for (const { bytes, reject } of line.takeAll()) {
        this.#bytes -= bytes
        reject(closedError())
      }
    }
    this.#lines.clear()
  }

  #begin(room: string, log: RoomLog): Line {
    const line = new Line(room, log)
    this.#lines.set(room, line)
    if (this.#fresh.push(line) === 1) setImmediate(this.#flush)
    return line
  }

  readonly #flush = (): void => {
    const fresh = this.#fresh
    this.#fresh = []
    for (const line of fresh) void this.#run(line)
  }

  // A line is here while anything of its room waits or is under way.
  async #run(line: Line): Promise<void> {
    for (let batch = line.takeBatch(); batch.length > 0; batch = line.takeBatch()) {
      try {
        const outgoing = batch.map((pending) => pending.outgoing)
        const outcomes = await this.#send(line.room, line.log, outgoing)
        for (const [index, { resolve, reject }] of batch.entries()) {
          const outcome = outcomes[index]
          if (outcome instanceof BrokerError) reject(outcome)
          else resolve(outcome)
        }
      } catch (error) {
        for (const { reject } of batch) reject(error)
      }
      for (const { bytes } of batch) this.#bytes -= bytes
    }
    if (this.#lines.get(line.room) === line) this.#lines.delete(line.room)
  }
}

/** What waits in one room. */
class Line {
  readonly room: string
  readonly log: RoomLog
  #pending: Pending[] = []
  #bytes = 0

  constructor(room: string, log: RoomLog) {
    this.room = room
    this.log = log
  }

  takes(bytes: number): boolean {
    const { length } = this.#pending
    return length === 0 || (length < PENDING_PUBLICATIONS && this.#bytes + bytes <= PENDING_BYTES)
  }

  push(pending: Pending): void {
    this.#pending.push(pending)
    this.#bytes += pending.bytes
  }

  takeBatch(): readonly Pending[] {
    const [first] = this.#pending
    let count = 0
    for (let bytes = 0; count < BATCH_PUBLICATIONS && count < this.#pending.length; count++) {
      const next = this.#pending[count]
      bytes += next?.bytes ?? 0
      if (count > 0 && bytes > BATCH_BYTES) break
      // What must be replicated may run again, and a volatile publication is then handed on again: it has no id.
      if (this.log.replicas !== undefined && isVolatile(next) !== isVolatile(first)) break
    }
    const batch = this.#pending.splice(0, count)
    for (const { bytes } of batch) this.#bytes -= bytes
    return batch
  }

  takeAll(): readonly Pending[] {
    const all = this.#pending
    this.#pending = []
    this.#bytes = 0
    return all
  }
}

const isVolatile = (pending: Pending | undefined): boolean => pending?.outgoing.delivery === 'volatile'

const closedError = (): BrokerError => new BrokerError('CLOSED', 'The broker is closed')
