/** BEAT for all connections of a node with one timer per interval. PROTOCOL.md § Heartbeat. */
import type { Clock, Timer } from '../../contract/clock.js'
import { CLOSE } from '../../contract/wire/index.js'
import type { Connection } from './connection.js'

/** Looks per heartbeat interval: a silence is found at most one look late. */
const LOOKS = 5

/**
 * Looks at every connection five times per interval: sends BEAT after an interval of silence in either direction,
 * and closes after two of silence from the peer.
 */
export class Heartbeat {
  readonly #clock: Clock
  readonly #connections: () => Iterable<Connection>
  #timer: Timer | undefined
  readonly #look: number

  /** `interval` in ms. */
  constructor(clock: Clock, interval: number, connections: () => Iterable<Connection>) {
    this.#clock = clock
    this.#look = interval / LOOKS
    this.#connections = connections
  }

  /** Runs until `stop`. Safe to repeat. */
  start(): void {
    this.#timer ??= this.#clock.setTimeout(this.#run, this.#look)
  }

  stop(): void {
    if (this.#timer !== undefined) this.#clock.clearTimeout(this.#timer)
    this.#timer = undefined
  }

  readonly #run = (): void => {
    this.#timer = undefined
    let any = false
    for (const connection of this.#connections()) {
      any = true
      look(connection)
    }
    if (any) this.start()
  }
}

function look(connection: Connection): void {
  // Before WELCOME the time of the handshake counts, and nothing may be sent.
  if (connection.phase !== 'open') return
  // What we do not read we cannot hear; the calls that keep us from it have their own deadlines.
  connection.silentIn = connection.heard || connection.paused ? 0 : connection.silentIn + 1
  connection.silentOut = connection.writer.spoke ? 0 : connection.silentOut + 1
  connection.heard = false
  connection.writer.spoke = false
  if (connection.silentIn >= 2 * LOOKS) connection.close(CLOSE.HEARTBEAT_LOST)
  else if (connection.silentIn === LOOKS || connection.silentOut >= LOOKS) sendBeat(connection)
}

/** Sends BEAT now: the peer's answer to it says that it has read what was sent before. False where there is no room for it. */
export function sendBeat(connection: Connection): boolean {
  const isSent = tryBeat(connection)
  if (isSent) connection.beats++
  return isSent
}

// There is no harm in a BEAT that does not fit: what waits before it is as good. So it is no message that was dropped.
function tryBeat(connection: Connection): boolean {
  const { beat } = connection.mount.gateway
  return (
    connection.writer.fits(beat.frame(connection.codec.binary).byteLength) &&
    connection.sendMessage(beat, 'drop')
  )
}

/** A BEAT came in: the answer to one of ours, or a probe that wants one. */
export function onBeat(connection: Connection): void {
  if (connection.beats > 0) connection.beats--
  else tryBeat(connection)
}
