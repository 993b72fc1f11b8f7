/** The tests of the client once more, in binary. */
import { msgpack } from '../../client/msgpack.js'
import { spoken } from './support/codec.js'

spoken.codec = msgpack
await import('./calls.test.js')
await import('./events.test.js')
await import('./inbox.test.js')
await import('./outbox.test.js')
await import('./presence.test.js')
await import('./rooms.test.js')
await import('./streams.test.js')
