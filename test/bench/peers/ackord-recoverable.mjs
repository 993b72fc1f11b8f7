/** ackord with publications that are kept, to be sent again after a reconnect: what a log costs beside passing on. */
import { ackordNodes } from './ackord.mjs'

/** @type {import('../harness/peer.mjs').Peer} */
export default { name: 'ackord-recoverable', build: true, redis: ackordNodes('kept') }
