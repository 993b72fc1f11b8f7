/** WebSocket frames as a server writes them: unmasked, unfragmented, uncompressed. RFC 6455 § 5.2. */

const FIN_TEXT = 0x81
const FIN_BINARY = 0x82

/** Bytes of the header before a payload of `length` bytes. */
export function headerSize(length: number): number {
  return length < 126 ? 2 : length < 65_536 ? 4 : 10
}

function writeHeader(target: Buffer, offset: number, opcode: number, length: number): number {
  target[offset] = opcode
  if (length < 126) {
    target[offset + 1] = length
    return offset + 2
  }
  if (length < 65_536) {
    target[offset + 1] = 126
    return target.writeUInt16BE(length, offset + 2)
  }
  target[offset + 1] = 127
  target.writeUInt32BE(0, offset + 2)
  return target.writeUInt32BE(length, offset + 6)
}

/**
 * Writes one message as a frame at `offset` and returns the offset behind it. `length` is the payload's byte
 * length, which for a text is not its `length`.
 */
export function writeFrame(
  target: Buffer,
  offset: number,
  payload: string | Uint8Array,
  length: number,
): number {
  if (typeof payload !== 'string') {
    const at = writeHeader(target, offset, FIN_BINARY, length)
    target.set(payload, at)
    return at + length
  }
  const at = writeHeader(target, offset, FIN_TEXT, length)
  // As many bytes as units means ASCII, which the one-byte writer copies without looking at each unit.
  if (length === payload.length) target.write(payload, at, length, 'latin1')
  else target.write(payload, at, length, 'utf8')
  return at + length
}

/** The byte length of a message. */
export function byteLength(payload: string | Uint8Array): number {
  return typeof payload === 'string' ? Buffer.byteLength(payload) : payload.byteLength
}

/** One message as one frame in a buffer of its own. */
export function frameOf(payload: string | Uint8Array): Buffer {
  const length = byteLength(payload)
  const buffer = Buffer.allocUnsafe(headerSize(length) + length)
  writeFrame(buffer, 0, payload, length)
  return buffer
}

/** The payloads of whole frames as `writeFrame` writes them: views, no copies. */
export function* payloadsOf(
  frames: Uint8Array,
): Generator<{ readonly payload: Uint8Array; readonly binary: boolean }> {
  const view = new DataView(frames.buffer, frames.byteOffset, frames.byteLength)
  let at = 0
  while (at < frames.byteLength) {
    const binary = frames[at] === FIN_BINARY
    const short = frames[at + 1] ?? 0
    const length = short < 126 ? short : short === 126 ? view.getUint16(at + 2) : view.getUint32(at + 6)
    at += headerSize(length)
    yield { payload: frames.subarray(at, at + length), binary }
    at += length
  }
}
