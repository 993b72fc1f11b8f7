/** The server whose cost of compression is measured. Its only argument: `off`, or the option as JSON. */
import type { AddressInfo } from 'node:net'
import Fastify from 'fastify'
import { call, defineContract, event, room, Type } from '../../../contract/index.js'
import { ackord, namespace } from '../../../plugins/index.js'

/** What the parent asks for. */
export type Question = { readonly type: 'memory' } | { readonly type: 'publish'; readonly count: number }

/** Bytes after a garbage collection, or microseconds of CPU of all threads, and what was held back at the end. */
export interface Answer {
  readonly rss: number
  readonly cpu: number
}

const Text = Type.Object({ text: Type.String() })
const contract = defineContract({
  name: 'cost',
  version: '1.0.0',
  calls: { echo: call({ input: Text, ack: Text }) },
  events: {},
  rooms: { all: room({ params: Type.Object({}), events: { said: event({ payload: Text }) } }) },
})
const live = namespace(contract, { path: '/live', authenticate: 'none' })
const [, , mode = 'off'] = process.argv
const app = Fastify({ logger: { level: 'error' } })
await app.register(ackord, {
  compression: mode === 'off' ? false : JSON.parse(mode),
  maxConnectionsPerAddress: 10_000,
  maxLag: 10_000,
  grace: 100,
})
await app.register(live.plugin({ calls: { echo: (input) => input }, rooms: { all: { join: () => true } } }))
await app.listen({ port: 0, host: '127.0.0.1' })
const all = app.ackord(live).room.all({})

// As texts are: words that come again, in an order that does not.
const WORDS =
  'the of and a to in is you that it he was for on are as with his they at be this have from or one'.split(
    ' ',
  )
let seed = 1
function text(length: number): string {
  let out = ''
  while (out.length < length) {
    seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648
    out += `${WORDS[seed % WORDS.length]} `
  }
  return out.slice(0, length)
}

async function publish(count: number): Promise<number> {
  const before = process.cpuUsage()
  for (let i = 0; i < count; i++) {
    await all.publish('said', { text: text(2000) })
    await new Promise((resolve) => setImmediate(resolve))
    while ([...app.ackordGateway.gateway.sockets].some(({ writer }) => writer.buffered > 65_536))
      await new Promise((resolve) => setTimeout(resolve, 1))
  }
  const { user, system } = process.cpuUsage(before)
  return user + system
}

process.on('message', async (question: Question) => {
  const cpu = question.type === 'publish' ? await publish(question.count) : 0
  globalThis.gc?.()
  globalThis.gc?.()
  process.send?.({ rss: process.memoryUsage.rss(), cpu } satisfies Answer)
})
process.on('disconnect', () => process.exit())
process.send?.({ port: (app.server.address() as AddressInfo).port })
