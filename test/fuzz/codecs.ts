/** How the peers write and read both subprotocols; written with the tests' own MessagePack, not with the library. */
import { type Codec, jsonCodec } from '../../contract/wire/index.js'
import { msgpackCodec } from '../../contract/wire/msgpack.js'
import { msgpackOf } from '../support/msgpack.js'

/** One subprotocol. */
export interface Spoken {
  readonly subprotocol: string
  readonly binary: boolean
  write(value: unknown): Buffer
  /** Undefined where the bytes are no message of it. */
  read(bytes: Buffer): unknown
}

const reader =
  (codec: Codec) =>
  (bytes: Buffer): unknown => {
    try {
      return codec.parse(codec.binary ? bytes : bytes.toString())
    } catch {
      // Broken on purpose, or by the server: who reads it decides.
      return undefined
    }
  }

const base64 = (_key: string, value: unknown): unknown =>
  value instanceof Uint8Array ? Buffer.from(value).toString('base64') : value

/** Both. */
export const SPOKEN: readonly [Spoken, Spoken] = [
  {
    subprotocol: jsonCodec.subprotocol,
    binary: false,
    write: (value) => Buffer.from(JSON.stringify(value, base64)),
    read: reader(jsonCodec),
  },
  {
    subprotocol: msgpackCodec.subprotocol,
    binary: true,
    write: msgpackOf,
    read: reader(msgpackCodec),
  },
]
