/** The tests of calls, events and rooms once more, in binary. */
import { spoken } from '../support/raw-client.js'

spoken.subprotocol = 'ackord.v1.msgpack'
await import('./calls.test.js')
await import('./edges.test.js')
await import('./events.test.js')
await import('../rooms/rooms.test.js')
await import('../rooms/joins.test.js')
