/** WebSocket frames as a client writes and reads them. RFC 6455 § 5. */
import { randomBytes } from 'node:crypto'

export const OPCODE = /** @type {const} */ ({ TEXT: 1, BINARY: 2, CLOSE: 8, PING: 9, PONG: 10 })

/** No peer sends frames above this, in bytes. */
const MAX_PAYLOAD = 1 << 20
const NOTHING = Buffer.alloc(0)

/**
 * One masked frame, its mask random and never zero: a server cannot skip the unmasking.
 * @param {string | Uint8Array} content at most 65,535 bytes
 * @param {number} [opcode]
 */
export function maskedFrame(content, opcode = OPCODE.TEXT) {
  const payload = Buffer.from(content)
  const { length } = payload
  if (length > 65_535) throw new Error(`a frame of ${length} bytes`)
  const header = length < 126 ? 2 : 4
  const frame = Buffer.allocUnsafe(header + 4 + length)
  frame[0] = 0x80 | opcode
  frame[1] = 0x80 | Math.min(length, 126)
  if (length >= 126) frame.writeUInt16BE(length, 2)
  const mask = randomMask()
  mask.copy(frame, header)
  for (let i = 0; i < length; i++) frame[header + 4 + i] = (payload[i] ?? 0) ^ (mask[i % 4] ?? 0)
  return frame
}

function randomMask() {
  for (;;) {
    const mask = randomBytes(4)
    if (!mask.includes(0)) return mask
  }
}

/** Cuts what a server sends into frames. The chunks may be of a buffer that is used again. */
export class FrameReader {
  #rest = NOTHING

  /**
   * Calls back for each whole frame: `start` to `end` is its payload. Throws where a server breaks RFC 6455 or sends
   * what no peer here sends (fragments, extensions).
   * @param {Buffer} chunk
   * @param {(opcode: number, data: Buffer, start: number, end: number) => void} onFrame
   */
  read(chunk, onFrame) {
    const data = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk])
    let at = 0
    while (data.length - at >= 2) {
      const first = data[at] ?? 0
      let length = data[at + 1] ?? 0
      let start = at + 2
      if (first < 0x80 || first > 0x8f || length > 127) throw new Error('a frame that is not plain')
      if (length >= 126) {
        start += length === 126 ? 2 : 8
        if (data.length < start) break
        length = length === 126 ? data.readUInt16BE(at + 2) : Number(data.readBigUInt64BE(at + 2))
        if (length > MAX_PAYLOAD) throw new Error(`a frame of ${length} bytes`)
      }
      if (data.length < start + length) break
      at = start + length
      onFrame(first & 15, data, start, at)
    }
    this.#rest = at === data.length ? NOTHING : Buffer.from(data.subarray(at))
  }
}
