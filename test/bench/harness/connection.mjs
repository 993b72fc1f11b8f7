/** One client: a raw TCP socket that speaks WebSocket, and as much of the peer's own protocol as opening takes. */
import { randomBytes } from 'node:crypto'
import { connect } from 'node:net'
import { FrameReader, maskedFrame, OPCODE } from './frames.mjs'

/** @import { Dialect } from './peer.mjs' */

/** Reads are handled before the next one starts, so all sockets share one buffer. */
const READ_BUFFER = Buffer.allocUnsafeSlow(1 << 17)
const MAX_RESPONSE = 16_384
const OPEN_MS = 10_000

/** A connection that its peer's dialect calls open. */
export class Connection {
  /** Gets each text that is neither of the opening nor a heartbeat. @type {(data: Buffer, start: number, end: number) => void} */
  onText = () => {}
  /** Called when all of one read was handled. */
  onRead = () => {}
  /** Called once when the connection is lost, or broken by one of the callbacks. @type {(error: Error) => void} */
  onError = () => {}

  #reader = new FrameReader()
  #dialect
  #socket
  #response = ''
  /** @type {'upgrading' | 'opening' | 'open' | 'closed'} */
  #state = 'upgrading'
  #opened

  /**
   * @param {{ port: number, dialect: Dialect, index: number, onOpen: () => void, onError: (error: Error) => void }} options
   */
  constructor({ port, dialect, index, onOpen, onError }) {
    this.#dialect = dialect
    this.#opened = onOpen
    this.index = index
    this.onError = onError
    this.#socket = connect({
      port,
      host: '127.0.0.1',
      noDelay: true,
      onread: {
        buffer: READ_BUFFER,
        callback: (bytes) => {
          this.#guard(() => this.#onBytes(READ_BUFFER.subarray(0, bytes)))
          return true
        },
      },
    })
    this.#socket.on('connect', () => this.#upgrade(port))
    this.#socket.on('error', (error) => this.#fail(error))
    this.#socket.on('close', () => this.#fail(new Error('the server ended a connection')))
  }

  /**
   * Writes frames that were made before.
   * @param {Uint8Array} frames
   */
  write(frames) {
    this.#socket.write(frames)
  }

  /** Ends the connection without a word: what closing costs is not measured here. */
  destroy() {
    this.#state = 'closed'
    this.#socket.destroy()
  }

  /** @param {number} port */
  #upgrade(port) {
    const headers = {
      Host: `127.0.0.1:${port}`,
      Connection: 'Upgrade',
      Upgrade: 'websocket',
      'Sec-WebSocket-Version': '13',
      'Sec-WebSocket-Key': randomBytes(16).toString('base64'),
      ...this.#dialect.headers,
    }
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
    this.#socket.write(`GET ${this.#dialect.path} HTTP/1.1\r\n${lines.join('')}\r\n`)
  }

  /** @param {Buffer} chunk */
  #onBytes(chunk) {
    let frames = chunk
    if (this.#state === 'upgrading') {
      this.#response += chunk.toString('latin1')
      const end = this.#response.indexOf('\r\n\r\n')
      if (end === -1 && this.#response.length < MAX_RESPONSE) return
      if (!this.#response.startsWith('HTTP/1.1 101 ')) throw new Error(`no upgrade: ${this.#response}`)
      frames = Buffer.from(this.#response.slice(end + 4), 'latin1')
      this.#state = 'opening'
      this.#open(undefined)
    }
    this.#reader.read(frames, this.#onFrame)
    if (this.#state === 'open') this.onRead()
  }

  /** @type {(opcode: number, data: Buffer, start: number, end: number) => void} */
  #onFrame = (opcode, data, start, end) => {
    if (opcode === OPCODE.PING) {
      this.write(maskedFrame(data.subarray(start, end), OPCODE.PONG))
    } else if (opcode === OPCODE.CLOSE) {
      const code = end - start >= 2 ? data.readUInt16BE(start) : 1005
      throw new Error(`closed with ${code} ${data.toString('utf8', start + 2, end)}`)
    } else if (this.#state === 'opening') {
      this.#open(data.toString('utf8', start, end))
    } else if (this.#state === 'open') {
      const reply = end - start < 16 && this.#dialect.heartbeats[data.toString('utf8', start, end)]
      if (reply) this.write(maskedFrame(reply))
      else this.onText(data, start, end)
    }
  }

  /** @param {string | undefined} text undefined right after the 101 */
  #open(text) {
    const { send = [], open } = this.#dialect.open(text, this.index)
    for (const message of send) this.write(maskedFrame(message))
    if (!open) return
    this.#state = 'open'
    this.#opened()
  }

  /** @param {() => void} handle */
  #guard(handle) {
    try {
      handle()
    } catch (error) {
      this.#fail(/** @type {Error} */ (error))
    }
  }

  /** @param {Error} error */
  #fail(error) {
    if (this.#state === 'closed') return
    this.destroy()
    this.onError(error)
  }
}

/**
 * Opens one connection. Rejects where the server refuses or takes more than 10 s.
 * @param {{ port: number, dialect: Dialect, index: number }} options
 * @returns {Promise<Connection>}
 */
export function open(options) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      connection.destroy()
      reject(new Error(`connection ${options.index} was not open within ${OPEN_MS} ms`))
    }, OPEN_MS)
    const connection = new Connection({
      ...options,
      onOpen: () => {
        clearTimeout(timer)
        resolve(connection)
      },
      onError: (error) => {
        clearTimeout(timer)
        reject(error)
      },
    })
  })
}
