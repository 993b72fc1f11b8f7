/** What of the gateway stands without an app, for `ackord/publisher`: no module that is reached from here loads Fastify or ws. */
export { type Codecs, loadCodecs } from './codecs.js'
export { byteLength, frameOf, headerSize, writeFrame } from './framing.js'
export type { Pack } from './message.js'
export {
  bounded,
  checkDurability,
  checkRedis,
  type Durability,
  type Limit,
  MAX_BUFFERED,
} from './shared-options.js'
export { Timeouts } from './timeouts.js'
