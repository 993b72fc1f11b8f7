/** A socket that keeps what is written to it, and a reader of unmasked WebSocket frames (RFC 6455 § 5.2). */
import { Duplex } from 'node:stream'
import { SocketOutlet } from '../../plugins/gateway/outlet.js'
import { Turn } from '../../plugins/gateway/turn.js'
import { Writer, type WriterHost } from '../../plugins/gateway/writer.js'

/** Keeps each write; `stuck` never takes one, as a peer that does not read. */
export class FakeSocket extends Duplex {
  readonly writes: Buffer[] = []
  stuck = false
  #done: (() => void) | undefined

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.writes.push(Buffer.from(chunk))
    this.#took(done)
  }

  override _writev(chunks: Array<{ chunk: Buffer }>, done: () => void): void {
    this.writes.push(Buffer.concat(chunks.map(({ chunk }) => chunk)))
    this.#took(done)
  }

  #took(done: () => void): void {
    if (this.stuck) this.#done = done
    else done()
  }

  /** The peer reads again: what was written has arrived, and what is written from now on. */
  unstick(): void {
    this.stuck = false
    this.#done?.()
    this.#done = undefined
  }

  get bytes(): Buffer {
    return Buffer.concat(this.writes)
  }
}

/** The payloads of whole frames; throws where the bytes end inside a frame. */
export function readFrames(bytes: Uint8Array): string[] {
  const view = Buffer.from(bytes)
  const texts: string[] = []
  let at = 0
  while (at < view.length) {
    let length = (view[at + 1] ?? 0) & 0x7f
    let start = at + 2
    if (length === 126) {
      length = view.readUInt16BE(at + 2)
      start = at + 4
    } else if (length === 127) {
      length = Number(view.readBigUInt64BE(at + 2))
      start = at + 10
    }
    if (start + length > view.length) throw new Error('the bytes end inside a frame')
    texts.push(view.subarray(start, start + length).toString())
    at = start + length
  }
  return texts
}

/** A writer on a fake socket. */
export function makeWriter(turn = new Turn(rethrow), maxBuffered = 65_536) {
  const socket = new FakeSocket()
  const events: string[] = []
  const host: WriterHost = {
    turn,
    maxBuffered,
    onOverflow: () => events.push('overflow'),
    onDrop: (count) => events.push(`${count} dropped`),
  }
  return { socket, events, writer: new Writer(new SocketOutlet(socket), host), turn }
}

const rethrow = (error: unknown): void => {
  throw error
}

/** Resolves when the turn's flush has run. */
export const turnEnd = (): Promise<void> =>
  new Promise((resolve) => setImmediate(() => setImmediate(resolve)))
