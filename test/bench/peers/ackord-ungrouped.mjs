/** ackord with each message written by itself: what grouped writes gain. */
import { ackordPeer } from './ackord.mjs'

export default ackordPeer('ackord-ungrouped', { groupedWrites: false })
