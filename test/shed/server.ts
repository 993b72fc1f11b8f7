/** The server of the storm: a process of its own, that publishes and says what it has refused. */
import { scryptSync, timingSafeEqual } from 'node:crypto'
import type { AddressInfo } from 'node:net'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import Fastify from 'fastify'
import { type AckordOptions, ackord, namespace } from '../../plugins/index.js'
import { contract, now, PATH } from './contract.js'

/** What the parent says first. */
export interface Setup {
  readonly options: AckordOptions
  /** scrypt's N for one token: what a verification costs. */
  readonly cost: number
  /** Publications a second. */
  readonly publications: number
}

/** What the server answers each question with, about the time since the last one. */
export interface Figures {
  readonly port: number
  /** Milliseconds by which the event loop was late at most. */
  readonly lag: number
  /** Milliseconds of CPU that one verification took, on average. */
  readonly verification: number
  readonly refused: Readonly<Record<string, number>>
}

const RESOLUTION_MS = 5

const { options, cost, publications } = JSON.parse(process.argv[2] ?? '') as Setup
const app = Fastify({ logger: { level: 'error' } })
await app.register(ackord, { grace: 100, maxConnectionsPerAddress: 1_000_000, ...options })

let verifications = 0
let spent = 0
// A key as an API keeps it: its hash, and a salt. Within the turn, as a signature is verified too.
const salt = Buffer.from('of the test')
const key = scryptSync('good', salt, 32, { N: cost })
const live = namespace(contract, {
  path: PATH,
  authenticate({ token }) {
    const start = performance.now()
    const [user = '', secret = ''] = token.split('.')
    const isGood = timingSafeEqual(scryptSync(secret, salt, 32, { N: cost }), key)
    verifications++
    spent += performance.now() - start
    return isGood ? { id: user } : null
  },
})
await app.register(live.plugin({ calls: { echo: (input) => input }, rooms: { ticks: { join: () => true } } }))
await app.listen({ port: 0, host: '127.0.0.1' })
const ticks = app.ackord(live).room.ticks({})
setInterval(() => void ticks.publish('tick', { at: now() }), 1000 / publications)

const delays = monitorEventLoopDelay({ resolution: RESOLUTION_MS })
delays.enable()

function figures(): Figures {
  const found = {
    port: (app.server.address() as AddressInfo).port,
    lag: Math.max(0, delays.max / 1e6 - RESOLUTION_MS),
    verification: spent / Math.max(1, verifications),
    refused: { ...app.ackordGateway.gateway.counters.refused.read() },
  }
  delays.reset()
  verifications = 0
  spent = 0
  return found
}

process.on('message', () => process.send?.(figures()))
// The parent is gone, however it ended.
process.on('disconnect', () => process.exit())
process.send?.(figures())
