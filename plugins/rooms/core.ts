/** What of rooms stands without an app, for `ackord/publisher`: no module that is reached from here loads Fastify or ws. */
export { BrokerError, type BrokerErrorCode, type Position } from './broker.js'
export { RedisBroker } from './broker-redis.js'
export {
  brokerRoom,
  checkedKey,
  compileEvents,
  compilePublishable,
  logOf,
  outgoingOf,
  type PublishableRoom,
  type RoomHost,
} from './publishable.js'
