/** What of the cluster stands without an app, for `ackord/publisher`: no module that is reached from here loads Fastify or ws. */
export { ClusterError, type ClusterErrorCode } from './cluster.js'
export { busChannel, encodeMessage } from './messages.js'
