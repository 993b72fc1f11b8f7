import type { WebSocketLike } from '../../../client/index.js'
import type { ClientFrame, ServerFrame } from '../../../contract/wire/frames.js'
import { spoken } from './codec.js'

/** A WebSocket whose other end is the test. */
export class FakeSocket implements WebSocketLike {
  readonly url: string
  readonly protocols: readonly string[]
  readyState = 0
  bufferedAmount = 0
  binaryType = 'blob'
  /** Every message the client sent, as it was. */
  readonly messages: Array<string | Uint8Array> = []
  /** How the client closed it. */
  closedBy: { readonly code: number | undefined; readonly reason: string | undefined } | undefined
  onopen: ((event: never) => void) | null = null
  onmessage: ((event: never) => void) | null = null
  onclose: ((event: never) => void) | null = null
  onerror: ((event: never) => void) | null = null
  readonly #decoded: ClientFrame[] = []

  constructor(url: string, protocols: readonly string[]) {
    this.url = url
    this.protocols = protocols
  }

  send(data: string | Uint8Array): void {
    if (this.readyState === 0) throw new Error('InvalidStateError: still connecting')
    if ((typeof data !== 'string') !== spoken.codec.binary) throw new Error('this is another codec')
    if (this.readyState === 1) this.messages.push(data)
  }

  close(code?: number, reason?: string): void {
    if (code !== undefined && code !== 1000 && (code < 3000 || code > 4999))
      throw new Error(`InvalidAccessError: ${code}`)
    if (Buffer.byteLength(reason ?? '') > 123) throw new Error('SyntaxError: the reason is too long')
    if (this.readyState >= 2) return
    this.readyState = 2
    this.closedBy = { code, reason }
  }

  /** What the client sent, decoded. */
  get frames(): ClientFrame[] {
    for (const message of this.messages.slice(this.#decoded.length)) {
      this.#decoded.push(spoken.codec.parse(message) as ClientFrame)
    }
    return [...this.#decoded]
  }

  /** Frames of one number. */
  of(type: ClientFrame[0]): ClientFrame[] {
    return this.frames.filter((frame) => frame[0] === type)
  }

  /** The 101 came. */
  open(): void {
    this.readyState = 1
    this.#tell(this.onopen, {})
  }

  receive(...frames: ServerFrame[]): void {
    for (const frame of frames) {
      const message = spoken.codec.encode(frame)
      this.receiveData(typeof message === 'string' ? message : Uint8Array.from(message).buffer)
    }
  }

  receiveData(data: unknown): void {
    this.#tell(this.onmessage, { data })
  }

  /** The connection ends from the other side, or at last from this one. */
  end(code = 1006, reason = ''): void {
    this.readyState = 3
    this.#tell(this.onclose, { code, reason })
  }

  fail(): void {
    this.#tell(this.onerror, {})
  }

  #tell(handler: ((event: never) => void) | null, event: object): void {
    handler?.(event as never)
  }
}
