/** The process of one peer's server. Its CPU time is read here, before and after what is measured. */
import { createServer } from 'node:net'
import { answerCommands } from './child.mjs'
import { FIRST_ID, POOL, publication } from './messages.mjs'
import { listen, loadPeer } from './peer.mjs'

/** @import { SuiteName } from './peer.mjs' */

answerCommands({
  /** @param {{ file: string, suite: SuiteName, redis?: string }} options */
  async serve({ file, suite, redis }) {
    const part = (await loadPeer(file))[suite]
    if (part === undefined) throw new Error(`has no part in ${suite}`)
    const { port, publish } = await part.serve(redis ?? '')
    return { port, triggerPort: publish && (await listen(trigger(publish))) }
  },

  /** CPU time of all threads of this process so far, in µs. */
  cpu() {
    const { user, system } = process.cpuUsage()
    return user + system
  },
})

/**
 * Publishes as many messages, in one turn, as the byte that arrives says: far cheaper than the IPC channel, and
 * part of what every peer's server does.
 * @param {(payload: object) => void} publish
 */
function trigger(publish) {
  let next = 0
  return createServer({ noDelay: true }, (socket) => {
    socket.on('error', () => socket.destroy())
    socket.on('data', (/** @type {Buffer} */ data) => {
      for (const count of data) {
        for (let i = 0; i < count; i++) publish(publication(FIRST_ID + (next++ % POOL)))
      }
    })
  })
}
