/** Events for connections of all nodes: one message on the bus, and each node tells its own. */
import { eventsOf } from '../calls/index.js'
import { type Cluster, clusterOf } from '../cluster/index.js'
import type { Connection, Gateway, Mount } from '../gateway/index.js'
import { fieldsOf, targetOf } from './check.js'
import { connectionsOf, type Target } from './members.js'
import { SEND, type SendBody } from './send-body.js'

/** Takes what other nodes, and publishers, send to this node's connections. What it cannot make sense of reaches nobody. */
export function serveSends(cluster: Cluster, gateway: Gateway): void {
  cluster.handle(SEND, (body) => {
    const { path, target: sent, event, payload } = fieldsOf(body)
    const mount = typeof path === 'string' ? gateway.paths.get(path) : undefined
    const target = targetOf(sent)
    if (mount === undefined || target === undefined) return
    if (typeof event !== 'string' || typeof payload !== 'string') return
    const events = eventsOf(mount)
    // A node of another version may know other events.
    if (events.isPassing(event)) events.sendText(newestOf(mount, target), event, payload)
  })
}

/**
 * Tells connections on all nodes; those of this one at once. Throws ACKORD_UNKNOWN_NAME, ACKORD_WRONG_DELIVERY, ACKORD_INVALID_PAYLOAD; a
 * ClusterError where the payload is too large for other nodes: then nobody is told.
 */
export function send(mount: Mount, target: Target, event: string, payload: unknown): void {
  const events = eventsOf(mount)
  const text = events.text(event, payload)
  const body: SendBody = { path: mount.path, target, event, payload: text }
  clusterOf(mount.gateway).tell(SEND, body)
  events.sendText(newestOf(mount, target), event, text)
}

// A session that moves has two connections, and its client listens to both. PROTOCOL.md § Moving.
function* newestOf(mount: Mount, target: Target): Generator<Connection> {
  for (const connection of connectionsOf(mount, target)) if (!connection.isReplaced) yield connection
}
