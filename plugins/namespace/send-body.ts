/** How an event for connections of any node travels between nodes. */
import type { Target } from './members.js'

/** Its kind on the bus. */
export const SEND = 'live.send'

/** An event; each node tells its own connections. */
export interface SendBody {
  readonly path: string
  readonly target: Target
  readonly event: string
  /** JSON text. */
  readonly payload: string
}
