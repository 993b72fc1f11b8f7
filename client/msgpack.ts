/**
 * The binary codec, for the option `codec` of a client. Needs the package msgpackr.
 *
 * @example
 * const chat = createChat('wss://api.example.com/v1/chat', { codec: msgpack })
 */
export { msgpackCodec as msgpack } from '../contract/wire/msgpack.js'
