/** A server's clock, in a file of its own: a client carries nothing of it. */
import { type Clock, systemClock } from './clock.js'

/** The machine's clock for a server: its sockets keep the process alive, its housekeeping does not. */
export const serverClock: Clock = {
  ...systemClock,
  setTimeout(callback, ms) {
    const timer: number | { unref?: () => unknown } = systemClock.setTimeout(callback, ms)
    if (typeof timer === 'object') timer.unref?.()
    return timer
  },
}
