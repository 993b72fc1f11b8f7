/**
 * What travels on a room's channel in Redis: one message per batch, with whole frames that a receiving node writes as they are.
 *
 *     u32, big endian   bytes of the head that follows
 *     head, JSON        [epoch, previousTag, version, [[event, delivery, latestKey, except, offset, tag, lead, payload, tail], …], previousVersion]
 *     frames            one PUBLICATION per publication as a text frame of WebSocket; it is lead + payload + tail bytes long
 *
 * `null` stands for what is absent. A batch with something to keep is written by plugins/redis/lua/room-publish.lua, one of volatile
 * publications only by `encodeLive`.
 */
import type { EventDelivery } from '../../../contract/contract.js'
import { FRAMES } from '../../../contract/wire/index.js'
import { frameOf } from '../../gateway/core.js'
import type { Outgoing, Position, Publication } from '../broker.js'

/** A message of a room's channel. */
export interface Live {
  /** Of the log at that time; `undefined` where the message moves nothing that is kept. */
  readonly epoch: string | undefined
  /** The tag before the first recoverable publication in it; `undefined` where there is none. */
  readonly previousTag: number | undefined
  /** Of the `latest` values before and after it: the same where it has none. Who knows another one than `previousVersion` missed a value. */
  readonly previousVersion: number | undefined
  readonly version: number | undefined
  /** In the order of publishing. */
  readonly publications: readonly Publication[]
}

/** The key that clients know: what stands behind the first space of a room's name. */
export const wireKey = (room: string): string => room.slice(room.indexOf(' ') + 1)

/** A PUBLICATION up to its payload. */
export const leadOf = (room: string, event: string): string =>
  `[${FRAMES.PUBLICATION.type},${JSON.stringify(wireKey(room))},${JSON.stringify(event)},`

/** One publication in the head, still open: what the publishing node knows of it. */
export const labelOf = ({ event, delivery, latestKey, except }: Outgoing): string =>
  JSON.stringify([event, delivery, latestKey ?? null, except ?? null]).slice(0, -1)

/** A message of publications that are kept nowhere. */
export function encodeLive(room: string, batch: readonly Outgoing[]): Buffer {
  const frames: Buffer[] = []
  const entries = batch.map((outgoing) => {
    const frame = frameOf(`${leadOf(room, outgoing.event)}${outgoing.payload}]`)
    const payload = Buffer.byteLength(outgoing.payload)
    frames.push(frame)
    return `${labelOf(outgoing)},null,null,${frame.length - payload - 1},${payload},1]`
  })
  const head = Buffer.from(`[null,null,null,[${entries.join()}],null]`)
  const size = Buffer.allocUnsafe(4)
  size.writeUInt32BE(head.length)
  return Buffer.concat([size, head, ...frames])
}

/** Reads a message. The publications' frames are views into it. Throws a TypeError or SyntaxError where it is none. */
export function decodeLive(message: Buffer): Live {
  const start = 4 + (message.length < 4 ? Number.POSITIVE_INFINITY : message.readUInt32BE(0))
  if (start > message.length) refuse()
  const head: unknown = JSON.parse(message.toString('utf8', 4, start))
  if (!Array.isArray(head)) refuse()
  const [epoch, previousTag, version, entries, previousVersion]: unknown[] = head
  if (!Array.isArray(entries)) refuse()
  const live = {
    epoch: textOr(epoch),
    previousTag: numberOr(previousTag),
    version: numberOr(version),
    previousVersion: numberOr(previousVersion),
    publications: [] as Publication[],
  }
  let at = start
  for (const entry of entries as unknown[]) {
    const publication = readEntry(entry, live.epoch, message, at)
    live.publications.push(publication)
    at += publication.frame.length
  }
  if (at !== message.length) refuse()
  return live
}

function readEntry(entry: unknown, epoch: string | undefined, message: Buffer, at: number): LivePublication {
  if (!Array.isArray(entry)) refuse()
  const [event, delivery, latestKey, except, offset, tag, lead, payload, tail]: unknown[] = entry
  if (typeof event !== 'string' || !isDelivery(delivery)) refuse()
  const bytes = [lead, payload, tail].map((part) => (isCount(part) ? part : refuse()))
  const [leadBytes = 0, payloadBytes = 0, tailBytes = 0] = bytes
  const end = at + leadBytes + payloadBytes + tailBytes
  if (end > message.length) refuse()
  const isPlaced = epoch !== undefined && isCount(offset) && isCount(tag)
  if (delivery === 'recoverable' && !isPlaced) refuse()
  return new LivePublication(
    { event, delivery, latestKey: textOr(latestKey), except: textOr(except) },
    isPlaced && delivery === 'recoverable' ? { epoch, offset, tag } : undefined,
    message.subarray(at, end),
    leadBytes,
    tailBytes,
  )
}

/** A publication that is read out of its frame only where somebody asks for more than the frame. */
class LivePublication implements Publication {
  readonly event: string
  readonly delivery: EventDelivery
  readonly latestKey: string | undefined
  readonly except: string | undefined
  readonly position: Position | undefined
  readonly frame: Buffer
  readonly #lead: number
  readonly #tail: number
  #payload: string | undefined

  constructor(
    { event, delivery, latestKey, except }: Omit<Publication, 'payload' | 'position' | 'frame'>,
    position: Position | undefined,
    frame: Buffer,
    lead: number,
    tail: number,
  ) {
    this.event = event
    this.delivery = delivery
    this.latestKey = latestKey
    this.except = except
    this.position = position
    this.frame = frame
    this.#lead = lead
    this.#tail = tail
  }

  get payload(): string {
    this.#payload ??= this.frame.toString('utf8', this.#lead, this.frame.length - this.#tail)
    return this.#payload
  }
}

function refuse(): never {
  throw new TypeError('A message on the channel of a room is none of ours')
}

const textOr = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined)
const numberOr = (value: unknown): number | undefined => (typeof value === 'number' ? value : undefined)
const isCount = (value: unknown): value is number =>
  typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
const isDelivery = (value: unknown): value is EventDelivery =>
  value === 'recoverable' || value === 'latest' || value === 'volatile'
