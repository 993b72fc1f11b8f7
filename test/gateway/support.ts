/** What the tests of the server's edge share: apps with a tiny namespace, and looks at what is left of connections. */
import type { ServerOptions as HttpOptions } from 'node:http'
import type { ServerOptions } from 'node:https'
import type { AddressInfo } from 'node:net'
import { Writable } from 'node:stream'
import { promisify } from 'node:util'
import Fastify, { type FastifyInstance, type FastifyServerOptions } from 'fastify'
import { onTestFinished, vi } from 'vitest'
import { call, defineContract, Type } from '../../contract/index.js'
import type { Connection } from '../../plugins/gateway/index.js'
import { ackord, namespace } from '../../plugins/index.js'
import { type ConnectOptions, connect } from '../support/raw-client.js'
import { DEADLINE } from '../support/waiters.js'

const Text = Type.Object({ text: Type.String() })

/** One call, `echo`. */
export const tiny = defineContract({
  name: 'tiny',
  version: '1.0.0',
  calls: { echo: call({ input: Text, ack: Text }) },
})

/** A handle of the tiny contract that everybody may connect to. */
export const makeTiny = (path = '/live') => namespace(tiny, { path, authenticate: 'none' })

/** Mounts the tiny contract; ackord has to be there. */
export function mountTiny(live = makeTiny()) {
  return live.plugin({ calls: { echo: (input) => input } })
}

/** An app that ends with its test, over TLS where `https` says so, and what it logged, parsed. Nothing is registered. */
export function makeApp(
  options: FastifyServerOptions & {
    readonly http?: HttpOptions
    readonly https?: ServerOptions | undefined
  } = {},
) {
  const lines: Array<Record<string, unknown>> = []
  const stream = new Writable({
    write(chunk, _encoding, done) {
      lines.push(JSON.parse(String(chunk)))
      done()
    },
  })
  const app = Fastify({ logger: { level: 'debug', stream }, ...options })
  onTestFinished(() => app.close())
  return { app, lines, warnings: () => lines.filter(({ level }) => Number(level) >= 40) }
}

/** Registers ackord and the tiny contract, listens on a free port, and says where. */
export async function listenTiny(app: FastifyInstance): Promise<number> {
  await app.register(ackord, { grace: 500, maxLag: 60_000 })
  await app.register(mountTiny())
  return listen(app)
}

/** Listens on a free port of the loopback. */
export async function listen(app: FastifyInstance): Promise<number> {
  await app.listen({ port: 0, host: '127.0.0.1' })
  return (app.server.address() as AddressInfo).port
}

/** HELLO of a client of the tiny contract. */
export const hello = (session = 'session', token?: string): readonly unknown[] => [
  1,
  session,
  tiny.hash,
  '1.0.0',
  [],
  ...(token === undefined ? [] : [token]),
]

/** Opens a connection to the tiny contract and has one call answered; gives the connection. */
export async function roundTrip(url: string, options?: ConnectOptions) {
  const client = await connect(url, options)
  client.send(hello())
  await client.next(17)
  client.send([2, 1, 'echo', { text: 'hi' }])
  const ack = await client.next(18)
  if (JSON.stringify(ack) !== '[18,1,{"text":"hi"}]') throw new Error(`A wrong ack: ${JSON.stringify(ack)}`)
  return client
}

/** Queues as much for a peer that does not read as the bound of its connection and the kernel take. */
export async function fill(connection: Connection | undefined): Promise<void> {
  for (const size of [10_000, 100, 1]) {
    const text = JSON.stringify([64, 'x'.repeat(size)])
    while (connection?.writer.send(text, 'drop')) await new Promise(setImmediate)
  }
}

/** How many sockets a server has open. */
export const socketsOf = (app: FastifyInstance): Promise<number> =>
  promisify(app.server.getConnections.bind(app.server))()

/** Resolves once `look` passes its expectations; fails at the deadline with what it said last. */
export const eventually = <T>(look: () => T | Promise<T>): Promise<T> =>
  vi.waitFor(look, { timeout: DEADLINE, interval: 5 })
