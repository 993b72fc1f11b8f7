/**
 * The binary codec: MessagePack of what JSON holds, and bytes. Never exported by this folder's index: who does not
 * import it carries not a byte of msgpackr. PROTOCOL.md § Subprotocols and codecs.
 */
import { Packr } from 'msgpackr/pack'
import { type Codec, MAX_DEPTH, refuseUnsafe } from './codec.js'
import { inspect } from './msgpack-inspect.js'
import { plain } from './plain.js'

// No records, no references, no classes: maps with text keys. What others may send is decided by `inspect`, before this reads it.
const packr = new Packr({ useRecords: false, mapsAsObjects: true, int64AsType: 'number', copyBuffers: true })

/** The codec of `ackord.v1.msgpack`. Bytes that it reads are copies: none of them holds on to the message. */
export const msgpackCodec: Codec = {
  subprotocol: 'ackord.v1.msgpack',
  binary: true,
  parse(data) {
    const { buffer, byteOffset, byteLength } = data as Uint8Array
    // A Buffer's slices would be Buffers.
    const message = new Uint8Array(buffer, byteOffset, byteLength)
    const suspect = inspect(message)
    const value: unknown = packr.unpack(message)
    if (suspect) refuseUnsafe(value, MAX_DEPTH)
    return value
  },
  encode: (frame) => packr.pack(plain(frame, MAX_DEPTH)),
}
