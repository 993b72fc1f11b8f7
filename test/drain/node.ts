/**
 * A process that serves the contract until SIGTERM, then closes its app and ends when nothing is left that keeps it. Its parent
 * is told `{ port }` when it listens, and when the app is closed `{ closedAfter, held, worked }`: how long that took, how long the event
 * loop was held meanwhile at the most, and how much CPU time it had, in ms.
 *
 * Arguments: its name, its port (0: any), its grace time in ms, and a file to which each run of a handler adds a line with its id.
 */
import { appendFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import Fastify from 'fastify'
import { ackord, namespace } from '../../plugins/index.js'
import { contract } from './contract.js'

const [name = 'node', port = '0', grace = '2000', file = ''] = process.argv.slice(2)

const live = namespace(contract, {
  path: '/live',
  // A token that says so is not verified in time.
  authenticate: async ({ token }) => {
    if (token === 'slow') await sleep(60_000, undefined, { ref: false })
    return { id: token }
  },
})

async function work({ id, ms }: { id: string; ms: number }): Promise<{ node: string }> {
  if (file !== '') appendFileSync(file, `${id}\n`)
  // Not even its signal ends it.
  if (ms < 0) await new Promise(() => {})
  await sleep(ms)
  return { node: name }
}

const app = Fastify({ trustProxy: '127.0.0.1' })
// All of the load comes from one address.
await app.register(ackord, {
  grace: Number(grace),
  maxConnectionsPerAddress: 10_000,
  maxConnectionsPerUser: 1000,
})
await app.register(
  live.plugin({
    calls: {
      attempt: work,
      repeat: work,
      once: work,
      count: async function* ({ id, items, ms }) {
        if (file !== '') appendFileSync(file, `${id}\n`)
        for (let n = 0; n < items; n++) {
          await sleep(ms)
          yield { n }
        }
        return { node: name }
      },
    },
    rooms: { hall: { join: () => true } },
  }),
)

let noise: NodeJS.Timeout | undefined

function report(error: unknown): void {
  console.error(error)
  process.exitCode = 1
}

// Its parent is gone.
const abandoned = (): never => process.exit(1)
process.once('disconnect', abandoned)

process.once('SIGTERM', async () => {
  // From here on it has to end by itself.
  process.off('disconnect', abandoned)
  const cpu = process.cpuUsage()
  const start = performance.now()
  let held = 0
  let last = start
  const look = (): void => {
    const now = performance.now()
    held = Math.max(held, now - last)
    last = now
  }
  const looking = setInterval(look, 5)
  try {
    await app.close()
  } catch (error) {
    report(error)
  }
  clearInterval(noise)
  const closedAfter = performance.now() - start
  const { user, system } = process.cpuUsage(cpu)
  look()
  clearInterval(looking)
  const ended = { closedAfter, held, worked: (user + system) / 1000 }
  process.send?.(ended, undefined, undefined, () => process.disconnect())
})

await app.listen({ port: Number(port), host: '127.0.0.1' })
const hall = app.ackord(live).room.hall({})
noise = setInterval(() => {
  hall.publish('noise', { text: 'x'.repeat(1000) }).catch(report)
  hall.publish('said', { text: 'x'.repeat(1000) }).catch(report)
}, 2)
process.send?.({ port: (app.server.address() as AddressInfo).port })
