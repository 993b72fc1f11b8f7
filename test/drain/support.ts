/** A server whose time stands still, and clients that know GOAWAY or do not. */
import { expect } from 'vitest'
import { createClock } from '../../client/testing/clock.js'
import { eventually } from '../gateway/support.js'
import { connect, type RawClient } from '../support/raw-client.js'
import { contract, type ServerOptions, startServer } from '../support/server.js'

/** The grace time, in ms: 4,000 of it are the clients'. */
export const GRACE = 5000

/** Starts the server. */
export async function serve(options: ServerOptions = {}) {
  const clock = createClock()
  const server = await startServer({ clock, grace: GRACE, random: () => 0.5, ...options })
  let sessions = 0
  return {
    clock,
    ...server,
    /** A connection with WELCOME; `features` is what its HELLO names. */
    async enterWith(features: readonly string[], user = 'ann'): Promise<RawClient> {
      const client = await connect(server.url)
      client.send([1, `d${++sessions}`, contract.hash, '1.0.0', features, user])
      await client.next(17)
      return client
    },
    /** Begins to close the app; resolves once it has begun. */
    async close() {
      let done = false
      const closed = server.app.close().then(() => {
        done = true
      })
      await eventually(() => expect(server.gateway.closing).toBe(true))
      return { closed, isDone: () => done }
    },
    /** Lets what has arrived be handled, and time pass. */
    async pass(ms: number): Promise<void> {
      await settle()
      clock.advance(ms)
      await settle()
    },
  }
}

/** Some turns of the event loop: for what needs no time and cannot be waited for, since nothing of it is seen from outside. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate)
}
