/** `ackord/client`: what generated clients are made of. Zero dependencies. */
export { createClient } from './client.js'
export { Failure } from './errors.js'
export { stream } from './streams.js'
export type * from './types.js'
