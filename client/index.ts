/** `ackord/client`: what generated clients are made of. Zero dependencies. */
export { createClient } from './client.js'
export { Failure } from './errors.js'
export { inbox } from './inbox.js'
export { presence } from './presence.js'
export { membership } from './room.js'
export { stream } from './streams.js'
export type * from './types.js'
