/** One TCP connection that may become a WebSocket: writes any bytes, reads frames, and hands them to its oracle. */
import { connect, type Socket } from 'node:net'
import { OPCODE, wsFrame } from '../support/raw-bytes.js'
import type { Spoken } from './codecs.js'
import { Oracle } from './oracle.js'

/** Milliseconds until something that has to come is missed; only a failing run takes that long. */
const PATIENCE = 20_000
/** Code of a Close without one. RFC 6455 § 7.1.5. */
const NO_STATUS = 1005

/** An HTTP answer. */
export interface Answer {
  readonly status: number
  readonly head: string
  readonly body: string
}

/** Made by `dial`. */
export class Peer {
  readonly oracle: Oracle
  /** The code of the server's Close. */
  code: number | undefined
  /** The TCP connection has ended. */
  ended = false
  /** The HTTP answers that came, up to a 101. */
  readonly answers: Answer[] = []
  /** Is told each ask. */
  onAsk: (ask: number) => void = () => {}
  readonly #socket: Socket
  readonly #spoken: Spoken
  readonly #fault: (what: string) => void
  #open = false
  #pending: Buffer = Buffer.alloc(0)
  #told: number | undefined
  #pongs = 0
  #rest: Uint8Array | undefined
  #wake = (): void => {}

  constructor(socket: Socket, spoken: Spoken, fault: (what: string) => void) {
    this.#socket = socket
    this.#spoken = spoken
    this.#fault = fault
    this.oracle = new Oracle(fault)
    socket.on('data', (chunk) => this.#read(chunk))
    // A reset is an end like any other; 'close' follows.
    socket.on('error', () => {})
    socket.on('close', () => {
      this.ended = true
      this.#wake()
    })
  }

  /** The server took the upgrade. */
  get open(): boolean {
    return this.#open
  }

  /** Writes as it is, behind what is to be written. */
  write(bytes: string | Uint8Array): void {
    this.#flush()
    if (!this.#socket.writableEnded) this.#socket.write(bytes)
  }

  /** Writes in two pieces, cut at `at`: the second in the loop's next turn, or when more is written. */
  writeCut(bytes: Uint8Array, at: number): void {
    this.write(bytes.subarray(0, at))
    this.#rest = bytes.subarray(at)
    setImmediate(() => this.#flush())
  }

  #flush(): void {
    const rest = this.#rest
    this.#rest = undefined
    if (rest !== undefined && rest.length > 0 && !this.#socket.writableEnded) this.#socket.write(rest)
  }

  /** Begins the closing handshake. */
  close(code = 1000): void {
    this.#told = code
    this.write(wsFrame({ opcode: OPCODE.close, payload: Buffer.from([code >> 8, code & 255]) }))
  }

  /** A Close with such a payload was among the bytes written: its code may come back. */
  closing(payload: Uint8Array): void {
    this.#told ??= payload.length < 2 ? NO_STATUS : ((payload[0] ?? 0) << 8) | (payload[1] ?? 0)
  }

  /** Nothing more is written. */
  finish(): void {
    this.#flush()
    this.#socket.end()
  }

  /** Ends at once, with a reset where told so. */
  abort(reset = false): void {
    if (reset) this.#socket.resetAndDestroy()
    else this.#socket.destroy()
    // Node says no 'close' where the reset of a connection that is over fails.
    this.ended = true
  }

  /** Resolves once the server has read all that was written, or has ended the connection. */
  async pong(): Promise<void> {
    const before = this.#pongs
    this.write(wsFrame({ opcode: OPCODE.ping }))
    await this.until(() => this.#pongs > before, 'a pong')
  }

  /** Resolves when `holds`, or the connection has ended; false, and a fault, where neither comes in time. */
  until(holds: () => boolean, what: string): Promise<boolean> {
    return new Promise((resolve) => {
      const settle = (value: boolean): void => {
        clearTimeout(timer)
        this.#wake = () => {}
        resolve(value)
      }
      const timer = setTimeout(() => {
        this.#fault(`waited in vain for ${what}`)
        settle(false)
      }, PATIENCE)
      this.#wake = () => {
        if (holds() || this.ended) settle(true)
      }
      this.#wake()
    })
  }

  #read(chunk: Buffer): void {
    this.#pending = this.#pending.length === 0 ? chunk : Buffer.concat([this.#pending, chunk])
    while (this.#open ? this.#frame() : this.#answer());
    this.#wake()
  }

  #answer(): boolean {
    const end = this.#pending.indexOf('\r\n\r\n')
    if (end < 0) return false
    const head = this.#pending.subarray(0, end).toString('latin1')
    const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(head)?.[1])
    const start = end + 4
    // Node's own answer to a request without Host: chunked, and empty.
    const isEmpty = this.#pending.toString('latin1', start, start + 5) === '0\r\n\r\n'
    const length = isEmpty ? 5 : Number(/^content-length: (\d+)$/im.exec(head)?.[1] ?? 0)
    if (this.#pending.length < start + length) return false
    const body = isEmpty ? '' : this.#pending.toString('utf8', start, start + length)
    this.#pending = this.#pending.subarray(start + length)
    this.answers.push({ status, head, body })
    this.#open = status === 101
    return true
  }

  // RFC 6455 § 5.2.
  #frame(): boolean {
    const [first, second] = this.#pending
    if (first === undefined || second === undefined) return false
    const extended = second === 126 ? 2 : second === 127 ? 8 : 0
    if (this.#pending.length < 2 + extended) return false
    const length =
      extended === 0
        ? second
        : extended === 2
          ? this.#pending.readUInt16BE(2)
          : Number(this.#pending.readBigUInt64BE(2))
    const start = 2 + extended
    if (this.#pending.length < start + length) return false
    const payload = this.#pending.subarray(start, start + length)
    this.#pending = this.#pending.subarray(start + length)
    this.#take(first, second, payload)
    return true
  }

  #take(first: number, second: number, payload: Buffer): void {
    if ((first & 0xf0) !== 0x80 || second > 127) this.#fault('a frame with wrong bits')
    if (this.code !== undefined) this.#fault('a frame behind Close')
    const opcode = first & 15
    if (opcode === OPCODE.close) {
      this.code = payload.length < 2 ? NO_STATUS : payload.readUInt16BE(0)
      this.oracle.closed(this.code, this.#told)
      // The answer to it, as a client has to give (RFC 6455 § 5.5.1).
      if (this.#told === undefined) this.close(this.code === NO_STATUS ? 1000 : this.code)
      this.finish()
    } else if (opcode === OPCODE.ping) this.write(wsFrame({ opcode: OPCODE.pong, payload }))
    else if (opcode === OPCODE.pong) this.#pongs++
    else {
      if (opcode !== (this.#spoken.binary ? OPCODE.binary : OPCODE.text))
        this.#fault(`a message of opcode ${opcode}`)
      const frame = this.#spoken.read(payload)
      const before = this.oracle.asked
      this.oracle.received(frame)
      if (this.oracle.asked > before) this.onAsk(this.oracle.asked)
    }
  }
}

/** Opens a TCP connection. Rejects with its error. */
export function dial(port: number, spoken: Spoken, fault: (what: string) => void): Promise<Peer> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true })
    socket.once('error', reject)
    socket.once('connect', () => {
      socket.off('error', reject)
      resolve(new Peer(socket, spoken, fault))
    })
  })
}
