/** What of namespaces stands without an app, for `ackord/publisher`: no module that is reached from here loads Fastify or ws. */
export { SEND, type SendBody } from './send-body.js'
export { type Branch, tree } from './tree.js'
