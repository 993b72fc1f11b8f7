/** The WebSocket as the gateway uses it: `ws` reads, the writer writes, and nothing overtakes the writer. */
import { type RawData, WebSocket } from 'ws'
import { CLOSE } from '../../contract/wire/index.js'
import type { Connection } from './connection.js'

/**
 * A `ws` WebSocket whose control frames leave behind what the writer has queued: `ws` answers a Close or a Ping
 * by itself, in the middle of a read, and an ack that was queued before must not be lost or overtaken.
 */
export class GatewaySocket extends WebSocket {
  /** The connection this socket serves. */
  connection: Connection | undefined

  /** Hands everything to a connection; called once, right after the 101. */
  serve(connection: Connection): void {
    this.connection = connection
    this.on('message', onMessage)
    this.on('close', onClose)
    this.on('error', onError)
  }

  override close(code?: number, reason?: string | Buffer): void {
    this.connection?.writer.end()
    this.connection?.writer.flushAll()
    super.close(code, reason)
    // Also where `ws` closes by itself: the peer said Close, or broke RFC 6455. What it held is released now. Only of the peer's Close
    // has `ws` the reason as bytes, or no code.
    const isOurs = code !== undefined && !Buffer.isBuffer(reason)
    this.connection?.ended(code ?? CLOSE.NO_STATUS.code, String(reason ?? ''), isOurs)
  }

  override pong(data?: unknown, mask?: boolean, callback?: (error: Error) => void): void {
    this.connection?.writer.flushAll()
    super.pong(data, mask, callback)
  }
}

// Shared by all sockets: a closure per connection and event would be kept as long as the connection.
function onMessage(this: WebSocket, data: RawData, isBinary: boolean): void {
  connectionOf(this)?.receive(data, isBinary)
}
function onClose(this: WebSocket, code: number, reason: Buffer): void {
  const connection = connectionOf(this)
  connection?.mount.closed(connection)
  connection?.ended(code, reason.toString(), false)
}
function onError(this: WebSocket, error: Error): void {
  // `ws` has begun to close with the code that belongs to the error; 'close' follows.
  const connection = connectionOf(this)
  connection?.mount.log.debug({ err: error, connection: connection.id }, 'ackord: socket error')
}
const connectionOf = (socket: WebSocket): Connection | undefined => (socket as GatewaySocket).connection
