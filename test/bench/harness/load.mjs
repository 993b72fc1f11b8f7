/** The process of the load generator: all the clients of one peer at a time. */
import { FanoutLoad } from '../load/fanout.mjs'
import { RelayLoad } from '../load/relay.mjs'
import { RpcLoad } from '../load/rpc.mjs'
import { answerCommands } from './child.mjs'
import { open } from './connection.mjs'
import { loadPeer } from './peer.mjs'

/** So many connect at a time: no server's backlog runs over. */
const CONNECT_BATCH = 50

/** @import { SuiteName } from './peer.mjs' */
/** @import { LoadOptions } from '../load/load.mjs' */

/** @type {RpcLoad | FanoutLoad | RelayLoad | undefined} */
let load
/** @type {import('./connection.mjs').Connection[]} */
let connections = []
let opened = 0

answerCommands({
  /** @param {{ file: string, suite: SuiteName, port: number, triggerPort: number, count: number }} options */
  async connect({ file, suite, port, triggerPort, count }) {
    const part = (await loadPeer(file))[suite]
    if (part === undefined) throw new Error(`has no part in ${suite}`)
    connections = []
    while (connections.length < count) {
      const batch = Math.min(CONNECT_BATCH, count - connections.length)
      const opening = Array.from({ length: batch }, () =>
        open({ port, dialect: part.dialect, index: opened++ }),
      )
      connections.push(...(await Promise.all(opening)))
    }
    if ('request' in part.dialect) load = new RpcLoad(connections, part.dialect)
    else if (suite === 'redis') load = new RelayLoad(connections, part.dialect, triggerPort)
    else load = new FanoutLoad(connections, part.dialect, triggerPort)
  },

  /** @param {LoadOptions} options */
  async run(options) {
    if (load === undefined) throw new Error('not connected')
    return load.run(options)
  },

  disconnect() {
    load?.close()
    for (const connection of connections) connection.destroy()
    connections = []
    load = undefined
  },
})
