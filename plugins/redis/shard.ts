/** One server as the hub sees it: the only one, or one master of a Cluster. */
import type { Channel } from './channel.js'
import type { Subscriber } from './subscriber.js'

/** A server, and what is known of it. */
export interface Shard {
  /** `host:port` in a Cluster; else empty. */
  readonly key: string
  readonly subscriber: Subscriber
  /** On which its subscriber shows that it hears. */
  readonly probe: Channel
  /** Why it is not asked now; undefined where it is. */
  away: unknown
}
