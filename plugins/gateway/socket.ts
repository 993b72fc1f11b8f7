/** The WebSocket as the gateway uses it: `ws` reads, the writer writes, and nothing overtakes the writer. */
import { WebSocket } from 'ws'
import { CLOSE } from '../../contract/wire/index.js'
import type { Connection } from './connection.js'

/**
 * A `ws` WebSocket whose control frames leave behind what the writer has queued: `ws` answers a Close or a Ping
 * by itself, in the middle of a read, and an ack that was queued before must not be lost or overtaken.
 */
export class GatewaySocket extends WebSocket {
  /** The connection this socket serves; set once, right after the 101. */
  connection: Connection | undefined

  override close(code?: number, reason?: string | Buffer): void {
    this.connection?.writer.end()
    this.connection?.writer.flush()
    super.close(code, reason)
    // Also where `ws` closes by itself: the peer said Close, or broke RFC 6455. What it held is released now.
    this.connection?.ended(code ?? CLOSE.NO_STATUS.code, String(reason ?? ''))
  }

  override pong(data?: unknown, mask?: boolean, callback?: (error: Error) => void): void {
    this.connection?.writer.flush()
    super.pong(data, mask, callback)
  }
}
