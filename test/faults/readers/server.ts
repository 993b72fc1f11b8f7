/** The server of the stopped readers: a process of its own, that its parent tells what to publish, and asks what it holds. */

import { mkdtempSync, rmSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import Fastify from 'fastify'
import { defineContract, event, room, Type } from '../../../contract/index.js'
import { ackord, namespace } from '../../../plugins/index.js'

/** What the parent asks for; each is answered with a Figures. */
export type Command =
  | { readonly type: 'figures' }
  | { readonly type: 'publish'; readonly rate: number; readonly seconds: number; readonly bytes: number }

/** What the server says about itself. */
export interface Figures {
  /** Resident bytes after a garbage collection; while publishing, the most that was seen. */
  readonly rss: number
  /** Of all connections. */
  readonly buffered: number
  /** The most that one connection holds. */
  readonly most: number
  readonly dropped: number
  readonly closed: number
  readonly members: number
  /** How many times a publication took so long that its successors were late: publications not made in time. */
  readonly behind: number
}

/** Milliseconds between two turns of publishing. */
const EVERY = 10

const Tick = Type.Object({ at: Type.Number(), fill: Type.String() })
const contract = defineContract({
  name: 'readers',
  version: '1.0.0',
  calls: {},
  events: {},
  rooms: { ticks: room({ params: Type.Object({}), events: { tick: event({ payload: Tick }) } }) },
})
const live = namespace(contract, { path: '/live', authenticate: 'none' })
const maxBuffered = Number(process.argv[2])
const app = Fastify({ logger: { level: 'error' } })
await app.register(ackord, { maxBuffered, grace: 100, maxConnectionsPerAddress: 10_000, maxLag: 10_000 })
await app.register(live.plugin({ rooms: { ticks: { join: () => true } } }))
await app.listen({ port: 0, host: '127.0.0.1' })
const { gateway } = app.ackordGateway
const ticks = app.ackord(live).room.ticks({})

let behind = 0
let peak = 0

function figures(): Figures {
  globalThis.gc?.()
  const held = [...gateway.sockets].map(({ writer }) => writer.buffered)
  const { dropped, closed } = gateway.counters
  return {
    rss: Math.max(process.memoryUsage.rss(), peak),
    buffered: held.reduce((sum, bytes) => sum + bytes, 0),
    most: Math.max(0, ...held),
    dropped,
    closed,
    members: ticks.connections().length,
    behind,
  }
}

/** Monotonic milliseconds that every process of this machine shares. */
const now = (): number => Number(process.hrtime.bigint()) / 1e6

async function publish(rate: number, seconds: number, bytes: number): Promise<void> {
  const fill = 'x'.repeat(bytes)
  const start = now()
  peak = 0
  let made = 0
  while (made < rate * seconds) {
    const due = Math.floor(((now() - start) * rate) / 1000)
    // No more at once than in five of the intervals: what a stalled loop owes is not sent in one burst.
    const most = Math.ceil((rate * EVERY * 5) / 1000)
    if (due - made > most) {
      behind += due - made - most
      made = due - most
    }
    for (; made < due; made++) void ticks.publish('tick', { at: now(), fill })
    peak = Math.max(peak, process.memoryUsage.rss())
    await sleep(EVERY)
  }
}

process.on('message', async (command: Command) => {
  peak = 0
  if (command.type === 'publish') await publish(command.rate, command.seconds, command.bytes)
  process.send?.(figures())
})
// The parent is gone, however it ended.
process.on('disconnect', () => process.exit())

// For the readers: Linux buffers 4 MiB for each TCP connection that is not read, and with 500 of those it makes every TCP connection of
// the machine wait. What a UNIX socket may buffer is small.
const folder = mkdtempSync(join(tmpdir(), 'ackord-readers-'))
process.on('exit', () => rmSync(folder, { recursive: true, force: true }))
const path = join(folder, 'socket')
createServer((socket) => app.server.emit('connection', socket)).listen(path, () => {
  process.send?.({ port: (app.server.address() as AddressInfo).port, path })
})
