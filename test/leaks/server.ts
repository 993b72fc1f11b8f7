/** The server of the long runs: a process of its own, so that what it holds is its own. Speaks to its parent. */
import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import Fastify from 'fastify'
import type { Clock, Timer } from '../../contract/clock.js'
import { serverClock } from '../../contract/server-clock.js'
import { ackord, namespace } from '../../plugins/index.js'
import { CROWDED, type Crowd, type Held, type Order, type Report } from './child.js'
import { contract } from './contract.js'

// Node does not list the timers that keep no process alive.
const timers = new Set<Timer>()
const clock: Clock = {
  ...serverClock,
  setTimeout(callback, ms) {
    const timer = serverClock.setTimeout(() => {
      timers.delete(timer)
      callback()
    }, ms)
    timers.add(timer)
    return timer
  },
  clearTimeout(timer) {
    timers.delete(timer)
    serverClock.clearTimeout(timer)
  },
}
const options = JSON.parse(process.env.ACKORD_OPTIONS ?? '{}')
const app = Fastify({ forceCloseConnections: true, trustProxy: true })
// Until its peer is gone: as an app's own look at a database may take.
app.addHook('onRequest', async ({ headers, raw }) => {
  if (headers['x-held'] !== undefined && !raw.socket.destroyed) await once(raw.socket, 'close')
})
app.addHook('onRequest', async ({ headers }, reply) => {
  if (headers['x-refused'] !== undefined) return reply.code(418).send({ why: 'the app does not like it' })
})
// What ackord counts as no refusal: a plain GET that was told it may upgrade.
let unrefused = 0
app.addHook('onResponse', async ({ headers }, { statusCode }) => {
  if (statusCode === 426 && headers.upgrade === undefined) unrefused++
})
await app.register(ackord, { grace: 1000, clock, ...options })
const live = namespace(contract, {
  path: '/live',
  authenticate: ({ token }) => (token === 'bad' ? null : { id: token }),
})
await app.register(live.plugin({ calls: { echo: (input) => input }, rooms: { hall: { join: () => true } } }))
await app.listen({ port: 0, host: '127.0.0.1' })

const { gateway } = app.ackordGateway
const say = (report: Report): void => void process.send?.(report)

function held(): Held {
  const { caps } = gateway
  const { connections, expected } = gateway.mountOf(live)
  return {
    upgrades: gateway.upgrades.size,
    handshakes: gateway.handshakes.size,
    sockets: gateway.sockets.size,
    connections: connections.size,
    users: connections.users,
    places: caps.connections.size,
    addresses: caps.connections.keys,
    anonymous: caps.anonymous.size,
    expected: expected.keys,
    http: gateway.http.size,
    authentications: caps.authentications.running + caps.authentications.waiting,
  }
}

const crowd: Array<string | undefined> = []

function setCrowd(order: Crowd): void {
  const { connections } = gateway.caps
  const isEnough = (): boolean =>
    order === 'crowd-node' ? connections.isFull : connections.isFullFor(CROWDED)
  if (order === 'no-crowd') {
    for (const address of crowd.splice(0)) connections.delete(address)
    return
  }
  while (!isEnough()) {
    const address = order === 'crowd-address' ? CROWDED : undefined
    connections.add(address)
    crowd.push(address)
  }
}

const descriptors = (): number => {
  try {
    return readdirSync('/proc/self/fd').length
  } catch {
    // No Linux: what Node itself knows of.
    return process.getActiveResourcesInfo().filter((name) => name.startsWith('TCP')).length
  }
}

const delays = monitorEventLoopDelay({ resolution: 5 })
delays.enable()

process.on('message', (order: Order) => {
  if (order === 'drop') {
    for (const connection of gateway.sockets) connection.terminate()
    // What this took itself, which the loop's next turn notes, is not what is measured.
    setImmediate(() => setImmediate(() => delays.reset()))
  }
  if (order === 'measure') {
    for (let i = 0; i < 4; i++) globalThis.gc?.()
    const others = process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length
    const { heapUsed, rss } = process.memoryUsage()
    const lag = Math.round(delays.max / 1e6) - 5
    delays.reset()
    say({
      kind: 'measured',
      lag,
      descriptors: descriptors(),
      timers: timers.size + others,
      heap: heapUsed,
      rss,
      held: held(),
    })
  }
  if (order === 'crowd-address' || order === 'crowd-node' || order === 'no-crowd') setCrowd(order)
  if (order === 'look')
    say({
      kind: 'held',
      held: held(),
      timers: timers.size,
      refused: { ...gateway.counters.refused.read(), unrefused },
    })
  if (order === 'close') void app.close().then(() => process.disconnect())
})
say({ kind: 'listening', port: (app.server.address() as AddressInfo).port })
