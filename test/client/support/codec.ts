import { type Codec, jsonCodec } from '../../../contract/wire/codec.js'

/** What clients and fake sockets speak: a file that runs tests in binary sets it before it imports them. */
export const spoken: { codec: Codec } = { codec: jsonCodec }
