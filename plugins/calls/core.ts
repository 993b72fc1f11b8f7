/** What of calls stands without an app, for `ackord/publisher`: no module that is reached from here loads Fastify or ws. */
export { compilePayload, type Payload, type PayloadHost, PLACE } from './payload.js'
export { compileValidator, type Validator } from './validate.js'
